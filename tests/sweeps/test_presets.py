"""Every preset of a sweep or a search runs to its end."""

import pytest
from conftest import later_counts
from sweeps.small import SMALL, TINY, needs_optuna

from vae_cli.config.yaml_comments import config_folder

SWEEPS = {  # name → the keys that make it small, and its number of members
    "sweep_code_size_temperature": (SMALL, 9),
    "sweep_estimators": (["data=rectangles", *SMALL, "seed=0"], 12),
}
SEARCHES = sorted(file.stem for file in config_folder().glob("experiment/search_*.yaml"))


def test_every_sweep_preset_is_in_the_table():
    assert SWEEPS.keys() == {file.stem for file in config_folder().glob("experiment/sweep_*.yaml")}


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_preset_runs_to_its_end_without_a_flag(command, tmp_path, name):
    small, count = SWEEPS[name]
    small = later_counts(*small, "epochs=1", "nll_samples=0", "gradient_draws=0")
    done = command("vae-train", f"experiment={name}", *small, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("\n  finished ") == count
    assert len(list((tmp_path / f"outputs/{name}").glob("*/summary.json"))) == count


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_preset_shows_its_configuration(command, tmp_path, name):
    done = command("vae-train", f"experiment={name}", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and f"name: {name}\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", [[], ["-m"]])
def test_the_command_line_overrides_a_sweep_preset(command, tmp_path, flag):
    less = ["latent.code_size=3", "latent.temperature=1", *TINY]
    done = command("vae-train", *flag, "experiment=sweep_code_size_temperature", *less, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n  finished ") == 1


@needs_optuna
@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_preset_runs_to_its_end(command, tmp_path, name):
    done = command("vae-train", f"experiment={name}", *TINY, "hydra.sweeper.n_trials=2", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "search: 2 of 2 trials" in done.stdout
    assert len(list((tmp_path / f"outputs/{name}").glob("*/summary.json"))) == 2
