"""Names that some medium could read as more than text, through all commands."""

import warnings
from pathlib import Path

import pytest
from conftest import SMALL_MODEL, SMALL_RECTANGLES
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NAMES = [r"=1+1 $\frac$", "_$x_{<img src=x>"]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_a_hostile_name_is_trained_evaluated_and_compared(command, tmp_path, name):
    """The option, the run and its folder have the name."""
    own = tmp_path / "own/likelihood" / f"{name}.yaml"
    own.parent.mkdir(parents=True)
    given = Path(__file__).parents[2] / "configs/likelihood/gaussian.yaml"
    own.write_text(given.read_text().replace("name: gaussian", f"name: '{name}'"))
    folder = tmp_path / f"runs/{name}"
    commands = [
        ("vae-train", f"--config-dir={tmp_path / 'own'}", f"likelihood='{name}'", f"name='{name}'",
         f"hydra.run.dir='{folder}'", "data.train_size=40", *SMALL_RECTANGLES, *SMALL_MODEL),
        ("vae-eval", f"run='{folder}'", "nll_samples=5", "probe=false"),
        ("vae-compare", str(tmp_path / "runs"), f"out='{tmp_path / 'comparison'}'"),
    ]  # fmt: skip
    for program, *arguments in commands:
        done = command(program, *arguments, cwd=tmp_path)
        assert done.returncode == 0 and done.stderr == "", (program, done.stderr)
    assert (folder / "figures/samples.png").exists() and (folder / "evaluation/report.html").exists()
    pages = [folder / "evaluation/report.html", tmp_path / "comparison/compare.html"]
    assert not [page for page in pages if "<img src=x>" in page.read_text()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert EventAccumulator(str(folder)).Reload().Tags()["scalars"]
