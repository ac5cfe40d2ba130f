"""From what is typed to run folders."""

from pathlib import Path

import pytest
from comparison.sweeps import ODD_NAMES
from runs.synthetic import write_run

from vae_cli.config.arguments import names, positional, quoted, run_folders


def test_runs_are_found_at_any_depth_once_and_not_within_a_run(tmp_path):
    for name in ("deep/er/run", "run"):
        write_run(tmp_path / name)
    (tmp_path / "run/inner/.hydra").mkdir(parents=True)
    (tmp_path / ".hidden/.hydra").mkdir(parents=True)
    found = run_folders([str(tmp_path), str(tmp_path / "run")])
    assert found == [tmp_path / "deep/er/run", tmp_path / "run"]
    assert names(found) == ["deep/er/run", "run"]
    assert names([tmp_path / "run"]) == ["run"]


def test_positional_folders_become_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=1,b=2").mkdir()
    assert positional(["a=1,b=2", "there", "x=a", "--cfg", "job"]) == [
        'folders=["a=1,b=2","there"]', "x=a", "--cfg", "job",
    ]  # fmt: skip
    assert positional(["there", "-m", "x=a,b"]) == ["-m", 'folders=["there"]', "x=a,b"]
    assert positional(["--help"]) == ["--help"] and positional(["out=a b"]) == ['out="a b"']


@pytest.mark.parametrize("name", ODD_NAMES)
def test_hydra_reads_a_quoted_name_back(name):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    override = OverridesParser.create().parse_override(f"folders=[{quoted(name)}]")
    (value,) = OmegaConf.create({"folders": override.value()}).folders
    assert str(value) == name
