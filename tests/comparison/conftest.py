"""A sweep of synthetic runs, and its comparison."""

from pathlib import Path

import pytest
from comparison.sweeps import REPORT, compared, write_sweep


@pytest.fixture
def sweep(tmp_path) -> Path:
    return write_sweep(tmp_path)


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """The comparison of such a sweep, one member of which was evaluated. Tests only read it."""
    folder = write_sweep(tmp_path_factory.mktemp("written"))
    (folder / REPORT).parent.mkdir()
    (folder / REPORT).touch()
    return compared(folder)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Pictures take most of a comparison's second."""
    monkeypatch.setattr("vae_cli.comparison.compare.draw_all", lambda *_: ({}, []))
