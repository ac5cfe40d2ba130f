"""The moments that are too short to be met at random, and what the undisturbed calls have that could be lost."""

import os

import pytest
from integration.places import assert_same, scalars
from integration.trials import CALLS, LONGEST
from run_comparison import saved, summary


def test_the_undisturbed_run_has_what_could_be_lost(trials):
    """So that equality is not that of nothing: figures that move, and a best state that was replaced."""
    run = trials.undisturbed("train").place / "run"
    shown = scalars(run)
    for name in ("train/loss", "train/temperature", "train/beta", "train/learning_rate", "validation/elbo"):
        assert len({value for _, value in shown[name]}) >= summary(run)["epochs"], name
    assert {tag.partition("/")[0] for tag in shown} == {"train", "validation", "test"}
    assert summary(run)["best_step"] > saved(run)["step"] / summary(run)["epochs"]


@pytest.mark.parametrize(
    "left",
    [(".lock",), (".hydra/.config.yaml.partial",), (".hydra/config.yaml", ".hydra/.hydra.yaml.partial"),
     (".hydra/config.yaml", "checkpoints/best.pt", "checkpoints/.last.pt.partial", "metrics.jsonl")],
    ids=["locked", "no configuration", "half a configuration", "no last checkpoint"],
)  # fmt: skip
def test_killed_before_the_first_checkpoint_starts_anew(trials, tmp_path, left):
    """A file that was being written is there by half."""
    whole, run = trials.undisturbed("train").place, tmp_path / "run"
    for name in left:
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (whole / "run" / name.removesuffix(".partial").replace("/.", "/")).read_bytes()
        path.write_bytes(content[: len(content) // 2] if name.endswith(".partial") else content)
    (run / ".lock").write_text(f"pid {os.getpid()} on {os.uname().nodename}")
    done = trials.server.run(*CALLS["train"].words, cwd=tmp_path, time_limit=LONGEST)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path, whole)
