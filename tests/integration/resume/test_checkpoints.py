"""A file that is not a checkpoint is refused."""

import pickle
import shutil
from pathlib import Path

import pytest
import torch
from conftest import configured
from integration.resume.interrupted import BASE, interrupted_run
from run_comparison import metrics, summary

from vae_cli.errors import UserError
from vae_cli.training.run import run


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    interrupted_run(folder)
    return folder


def with_bomb(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"bomb": Bomb(path.with_name("ran"))}, path)


FOREIGN = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no checkpoint at all\n" * 50),
    "another program's": lambda path: torch.save({"state_dict": {"w": torch.zeros(3)}, "epoch": 3}, path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "a whole model": lambda path: torch.save(torch.nn.Linear(2, 2), path),
    "another version's": lambda path: torch.save({"format": "vae-cli checkpoint 0"}, path),
    "a pickle with code": lambda path: path.write_bytes(pickle.dumps(Bomb(path.with_name("ran")))),
    "a checkpoint with code": with_bomb,
}


@pytest.mark.parametrize("name", ["last", "best"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path, stopped, kind, name):
    """One line names it, no code in it runs, and nothing has changed. best.pt may be the state that is tested."""
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    path = folder / f"checkpoints/{name}.pt"
    FOREIGN[kind](path)
    with pytest.raises(UserError) as error:
        run(configured(*BASE), folder)
    assert str(error.value).startswith(f"{path} is ") and "\n" not in str(error.value)
    assert "vae-train" in str(error.value)
    assert not path.with_name("ran").exists()
    assert summary(folder)["status"] == "interrupted"


def test_a_best_checkpoint_of_another_run_is_refused(tmp_path, stopped):
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    interrupted_run(tmp_path / "other", "seed=5")
    shutil.copy(tmp_path / "other/checkpoints/best.pt", folder / "checkpoints")
    with pytest.raises(UserError, match=r"best.pt belongs to another configuration: seed was 5 and is 0"):
        run(configured(*BASE), folder)


def test_without_its_best_checkpoint_a_run_goes_on_and_says_so(tmp_path, stopped):
    """The best of the states from there on is tested, not the last one."""
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    (folder / "checkpoints/best.pt").unlink()
    run(configured(*BASE), folder)
    assert (
        "best.pt is lost: the best of the states from step 9 on will be tested"
        in (folder / "train.log").read_text()
    )
    validated = {
        e["step"]: e["elbo"] for e in metrics(folder) if e["split"] == "validation" and e["step"] > 9
    }
    assert len(validated) == 2 and summary(folder)["best_step"] == max(validated, key=validated.__getitem__)
