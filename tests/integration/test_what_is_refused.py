"""A call that is refused changes nothing: the folder is byte for byte as before."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import later_counts
from integration.installed import assert_one_line

from vae_cli.runs.folder import RunFolder

SMALL = ("data.train_size=64", "data.validation_size=16", "data.test_size=16", "network.hidden=[8]", "nll_samples=0", "epochs=2")  # fmt: skip


def tree(folder: Path) -> dict[str, object]:
    """Every path below with its content and, except for the lock, the time at which it was last written."""
    paths = sorted(folder.rglob("*"))
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.name == ".lock" or path.stat().st_mtime_ns)
        if path.is_file()
        else None
        for path in paths
    }


@pytest.fixture(scope="module")
def finished(command, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = command("vae-train", *SMALL, f"hydra.run.dir={folder}", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def as_it_is(run: Path) -> None:
    pass


def damage(name: str) -> Callable[[Path], None]:
    def flip(run: Path) -> None:
        content = bytearray((run / name).read_bytes())
        content[len(content) // 2] ^= 1
        (run / name).write_bytes(content)

    return flip


def lose(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def overwrite(name: str, text: str) -> Callable[[Path], None]:
    return lambda run: (run / name).write_text(text)


def lose_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


def link_lock(run: Path) -> None:
    (run.parent / "target").write_text("not ours")
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(run.parent / "target")


def lock_folder(run: Path) -> None:
    (run / ".lock").unlink()
    (run / ".lock").mkdir()


AGAIN, RESUME = (*SMALL, "hydra.run.dir=run"), ("resume=run",)
REFUSALS = {
    "more epochs from a damaged checkpoint": (damage("checkpoints/last.pt"), (*RESUME, "epochs=4"), "last.pt is damaged"),
    "the same command on a damaged checkpoint": (damage("checkpoints/last.pt"), later_counts(*AGAIN, "epochs=4"), "last.pt is damaged"),
    "no checkpoint to resume": (lose("checkpoints/last.pt"), (*RESUME, "epochs=4"), "nothing to resume"),
    "no configuration to resume": (lose(".hydra/config.yaml"), RESUME, "no .hydra/config.yaml"),
    "a damaged configuration": (overwrite(".hydra/config.yaml", "a: &a [*a]"), RESUME, "YAML aliases"),
    "a stranger's question": (overwrite(".hydra/config.yaml", "name: ${oc.env:HOME}"), RESUME, "${oc.env:"),
    "another seed": (as_it_is, (*AGAIN, "seed=1"), "seed was 0 and is 1"),
    "another seed where the checkpoints are lost": (lose_checkpoints, (*AGAIN, "seed=1"), "seed was 0 and is 1"),
    "a number of epochs that is none": (as_it_is, (*RESUME, "epochs=many"), "epochs=many"),
    "another key": (as_it_is, (*RESUME, "seed=1"), "seed cannot change"),
    "a lock that is a link": (link_lock, (*RESUME, "epochs=4"), ".lock is a link"),
    "a lock that is a folder": (lock_folder, (*RESUME, "epochs=4"), ".lock"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_call_changes_nothing(command, run, case):
    prepare, arguments, words = REFUSALS[case]
    prepare(run)
    before = tree(run.parent)
    done = command("vae-train", *arguments, cwd=run.parent)
    assert words in assert_one_line(done)
    assert tree(run.parent) == before


def test_fewer_epochs_than_were_trained_are_refused(command, run):
    """Where the run has not finished, so that there would be something to do."""
    RunFolder(run).summary_file.unlink()
    before = tree(run.parent)
    done = command("vae-train", *RESUME, "epochs=1", cwd=run.parent)
    assert "epochs=1 is less than the 2 epochs" in assert_one_line(done)
    assert tree(run.parent) == before


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "summary.json", "figures/samples.png", "checkpoints/best.pt"]
)
def test_a_users_own_files_are_not_replaced(command, tmp_path, name):
    (tmp_path / "mine" / name).parent.mkdir(parents=True)
    (tmp_path / "mine" / name).write_text("mine")
    before = tree(tmp_path)
    done = command("vae-train", *SMALL, "hydra.run.dir=mine", cwd=tmp_path)
    assert name in assert_one_line(done) and tree(tmp_path) == before


NOTHING_LEFT = {
    "no CUDA": ["device=cuda"],
    "no such class": ["data.exclude_classes=[3]"],
    "no data": ["data=mnist", "data.root=nowhere"],
    "no file": ["data=arrays", "data.path=nowhere.npz"],
}


@pytest.mark.parametrize("case", NOTHING_LEFT)
def test_what_only_building_can_tell_leaves_nothing_behind(command, tmp_path, case):
    done = command("vae-train", *SMALL[3:], *NOTHING_LEFT[case], cwd=tmp_path)
    assert_one_line(done)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_whose_data_has_changed_is_refused(command, tmp_path):
    """Its best validation result would be of other images."""
    import numpy as np

    def write(seed: int) -> None:
        images = np.random.default_rng(seed).random((60, 4, 4)) > 0.5
        np.savez(tmp_path / "data.npz", images=images)

    write(0)
    arguments = ("data=arrays", "data.path=data.npz", *SMALL[3:], "hydra.run.dir=run")
    assert command("vae-train", *arguments, cwd=tmp_path).returncode == 0
    write(1)
    before = tree(tmp_path)
    done = command("vae-train", "resume=run", "epochs=3", cwd=tmp_path)
    assert "is not the data that run was trained on" in assert_one_line(done)
    assert tree(tmp_path) == before


def test_a_run_that_stopped_early_says_so(command, tmp_path):
    """More epochs change nothing, whatever their number."""
    arguments = later_counts(*SMALL, "patience=1", "optimizer.lr=1e-9", "epochs=8", "hydra.run.dir=run")
    assert command("vae-train", *arguments, cwd=tmp_path).returncode == 0
    again = command("vae-train", "resume=run", "epochs=60", cwd=tmp_path)
    assert again.returncode == 0 and "stopped early" in again.stdout and "larger N" not in again.stdout


def test_a_saved_configuration_does_not_ask_the_environment(command, tmp_path, monkeypatch):
    """What a user takes from the environment is saved as it was, so that the run can be resumed without it."""
    arguments = (*SMALL, "name=${oc.decode:mine}", "hydra.run.dir=run")
    assert command("vae-train", *arguments, cwd=tmp_path).returncode == 0
    assert "name: mine\n" in (tmp_path / "run/.hydra/config.yaml").read_text()
    assert command("vae-train", "resume=run", "epochs=3", cwd=tmp_path).returncode == 0
