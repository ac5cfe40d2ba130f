"""Fixtures of the tests of sweeps and searches: one small sweep and one small search, and copies of them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from sweeps.small import SEARCH, SWEEP, TINY

Called = tuple[Path, subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def swept(command, tmp_path_factory) -> Called:
    """The folder and the first call of a sweep with one member that finishes, one that diverges, and two that are refused
    when they are built, because there is no CUDA. Tests only read it."""
    cwd = tmp_path_factory.mktemp("sweep")
    return cwd, command("vae-train", *SWEEP, cwd=cwd)


@pytest.fixture
def swept_copy(swept, tmp_path) -> Path:
    """A copy of the sweep that a test may change."""
    return shutil.copytree(swept[0], tmp_path / "copy")


@pytest.fixture(scope="session")
def searched(command, tmp_path_factory) -> Called:
    """The folder and the first call of a search with four trials. Tests only read it."""
    cwd = tmp_path_factory.mktemp("search")
    return cwd, command("vae-train", *SEARCH, *TINY, "hydra.sweeper.n_trials=4", cwd=cwd)


@pytest.fixture
def searched_copy(searched, tmp_path) -> Path:
    """A copy of the search that a test may change. Its study contains no absolute path."""
    return shutil.copytree(searched[0], tmp_path / "copy")
