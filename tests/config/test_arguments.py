"""The words of the command line before Hydra reads them."""

from pathlib import Path

import pytest
from comparison.sweeps import ODD_NAMES

from vae_cli.config.arguments import flags_first, positional, quoted


def test_positional_folders_become_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=1,b=2").mkdir()
    assert positional(["a=1,b=2", "there", "x=a", "--cfg", "job"]) == [
        "x=a", "--cfg", "job", 'folders=["a=1,b=2","there"]',
    ]  # fmt: skip
    assert positional(["there", "-m", "x=a,b"]) == ["-m", "x=a,b", 'folders=["there"]']
    assert positional(["--help"]) == ["--help"] and positional(["out=a b"]) == ['out="a b"']


@pytest.mark.parametrize("name", ODD_NAMES)
def test_hydra_reads_a_quoted_name_back(name):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    override = OverridesParser.create().parse_override(f"folders=[{quoted(name)}]")
    (value,) = OmegaConf.create({"folders": override.value()}).folders
    assert str(value) == name


def test_flags_come_first_with_their_values():
    words = ["latent=bernoulli", "-m", "seed=0,1", "--config-dir", "mine", "epochs=2", "--cfg=job"]
    assert flags_first(words) == [
        "-m",
        "--config-dir",
        "mine",
        "--cfg=job",
        "latent=bernoulli",
        "seed=0,1",
        "epochs=2",
    ]
