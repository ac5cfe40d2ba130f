"""Fixtures of the tests of training."""

from collections.abc import Iterator

import pytest
import torch

from vae_cli.training import final


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    """Building an experiment in float64 changes torch's default."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take most of the time. tests/integration/test_command_line.py looks at them."""
    monkeypatch.setattr(final, "draw", lambda experiment, folder: None)
