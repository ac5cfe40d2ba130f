"""Fixtures of the tests of packed sweeps."""

from collections.abc import Iterator

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from vae_cli.config.compose import prepare_hydra
from vae_cli.config.yaml_comments import config_folder
from vae_cli.engine import packed
from vae_cli.engine.state import State
from vae_cli.training import final


@pytest.fixture(scope="module", autouse=True)
def hydra_config() -> Iterator[None]:
    before = torch.get_default_dtype()
    GlobalHydra.instance().clear()
    prepare_hydra()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take most of the time. test_command looks at whole folders."""
    monkeypatch.setattr(final, "draw", lambda parts, folder: None)


@pytest.fixture(autouse=True)
def hydra_state() -> Iterator[None]:
    before = HydraConfig.instance().cfg
    yield
    HydraConfig.instance().cfg = before


@pytest.fixture
def pack_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of members of each pack that was made."""
    sizes: list[int] = []
    make = packed.PackedRuns.__init__

    def counted(pack: packed.PackedRuns, states: list[State]) -> None:
        sizes.append(len(states))
        make(pack, states)

    monkeypatch.setattr(packed.PackedRuns, "__init__", counted)
    return sizes
