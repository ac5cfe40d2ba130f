"""Fixtures of the tests of interrupted and resumed runs."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import configured

from vae_cli.training import final
from vae_cli.training.run import run


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take most of the time. tests/integration/test_command_line.py looks at them."""
    monkeypatch.setattr(final, "draw", lambda experiment, folder: None)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`uninterrupted(*overrides)`: the folder of a run that nothing disturbed. Each is trained once."""

    @functools.cache
    def finished(*overrides: str) -> Path:
        folder = tmp_path_factory.mktemp("uninterrupted")
        run(configured(*overrides), folder)
        return folder

    return finished
