"""The words of the command line before Hydra reads them."""

from pathlib import Path

import pytest
from comparison.sweeps import ODD_NAMES

from vae_cli.config.arguments import positional, quoted


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
