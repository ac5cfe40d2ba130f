"""What may change when a run is resumed, and what may not."""

import pytest
from conftest import configured
from integration.resume.interrupted import BASE, EPOCHS, STEPS_PER_EPOCH, VARIANTS, interrupted_run
from run_comparison import assert_equal, metrics, saved, summary

from vae_cli.errors import UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.training.run import run


@pytest.mark.parametrize("variant", ["gaussian", "nothing validated"])
def test_epochs_may_be_raised(tmp_path, uninterrupted, variant):
    """A finished run that is resumed ends like a run that had all epochs from the start."""
    overrides = VARIANTS[variant]
    run(configured(*overrides, "epochs=2"), tmp_path)
    assert summary(tmp_path)["epochs"] == 2
    run(configured(*overrides), tmp_path)
    whole = uninterrupted(*overrides)
    assert metrics(tmp_path) == metrics(whole)
    assert summary(tmp_path)["test"] == summary(whole)["test"]
    for name in ("last", "best"):
        assert_equal(saved(tmp_path, name)["model"], saved(whole, name)["model"])


def test_epochs_may_be_lowered_to_what_was_trained(tmp_path):
    """Then the last state is tested, because no state has been validated yet. Fewer epochs would be untrue, and change
    nothing."""
    interrupted_run(tmp_path, "validate_every=3", step=2 * STEPS_PER_EPOCH)
    with pytest.raises(UserError, match=r"epochs=1 is less than the 2 epochs .* allowed is at least 2"):
        run(configured(*BASE, "validate_every=3", "epochs=1"), tmp_path)
    assert summary(tmp_path)["status"] == "interrupted"
    run(configured(*BASE, "validate_every=3", "epochs=2"), tmp_path)
    found = summary(tmp_path)
    assert (found["status"], found["epochs"], found["best_step"]) == ("finished", 2, 2 * STEPS_PER_EPOCH)


@pytest.mark.parametrize(("epochs", "done"), [(EPOCHS, True), (EPOCHS - 1, True), (EPOCHS + 1, False)])
def test_a_finished_run_is_recognized(uninterrupted, epochs, done):
    folder = uninterrupted(*BASE)
    assert RunFolder(folder).finished(epochs) == (RunFolder(folder).read_summary() if done else None)


def test_an_interrupted_run_has_not_finished(tmp_path):
    assert RunFolder(tmp_path).finished(1) is None
    interrupted_run(tmp_path)
    assert RunFolder(tmp_path).finished(1) is None


@pytest.mark.parametrize(
    ("overrides", "listed"),
    [
        (["optimizer.lr=0.5"], ["optimizer.lr was 0.01 and is 0.5"]),
        (
            ["latent.code_size=4", "network.hidden=[8,8]"],
            ["latent.code_size was 3 and is 4", "network.hidden was [8] and is [8, 8]"],
        ),
        (["corruption=masking"], ["corruption.name was none and is masking", "corruption.fraction was null"]),
        (["seed=1"], ["seed was 0 and is 1"]),
    ],
    ids=str,
)
def test_another_configuration_is_refused_with_the_differences(tmp_path, overrides, listed):
    """And nothing in the folder changes except for the lock."""
    interrupted_run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name == "last.pt"}
    with pytest.raises(UserError, match="another configuration") as error:
        run(configured(*BASE, *overrides), tmp_path)
    for difference in listed:
        assert difference in str(error.value)
    assert {path: path.read_bytes() for path in before} == before
    assert summary(tmp_path)["status"] == "interrupted"
