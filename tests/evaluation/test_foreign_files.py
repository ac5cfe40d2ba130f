"""vae-eval replaces what an earlier vae-eval wrote, and neither changes nor follows anything else."""

import shutil
from pathlib import Path

import pytest
from evaluation.outcome import QUICK, assert_done, assert_refused, contents, summary

PROJECTOR = ("projector_config.pbtxt", "00000/codes/tensors.tsv", "00000/codes/sprite.png")


def evaluate(command, folder: Path) -> None:
    assert_done(command("vae-eval", f"run={folder}", *QUICK, cwd=folder.parent))


@pytest.fixture
def run(original_bernoulli, tmp_path) -> Path:
    return Path(shutil.copytree(original_bernoulli, tmp_path / "run"))


def test_foreign_files_stay_and_ours_are_replaced(command, run):
    evaluate(command, run)
    ours = {name for name in contents(run) if name.startswith(("evaluation/", "00000/"))}
    mine = ["evaluation/notes.txt", "evaluation/plots/a.png", "00000/mine/tensors.tsv", "00000/codes/notes.txt",
            "events.out.tfevents.mine"]  # fmt: skip
    for name in mine:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(name)
    first = summary(run)
    (run / "evaluation/report.html").write_text("old")
    evaluate(command, run)
    assert summary(run)["figures"] == first["figures"]
    found = contents(run)
    assert all(found[name].decode() == name for name in mine) and found["evaluation/report.html"] != b"old"
    assert {name for name in found if name.startswith(("evaluation/", "00000/"))} == ours | set(mine[:-1])
    assert len(list(run.glob("*.evaluation"))) == 1


def test_what_an_evaluation_without_pictures_does_not_write_goes(command, run):
    arguments = ["nll_samples=10", "probe=false"]
    assert_done(command("vae-eval", f"run={run}", *arguments, "pictures=[rates]", "samples=3", cwd=run))
    assert {"rates.png", "samples.npz"} <= {path.name for path in (run / "evaluation").iterdir()}
    evaluate(command, run)
    assert {path.name for path in (run / "evaluation").iterdir()} == {"summary.json", "report.html"}


@pytest.mark.parametrize("name", ["evaluation/report.html", "evaluation/anomaly.png", *PROJECTOR])
def test_a_foreign_file_of_our_name_is_refused_by_name(command, run, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text("mine")
    assert_refused(command, run, *QUICK, words=(Path(name).name, "move"))


@pytest.mark.parametrize("name", PROJECTOR)
def test_a_folder_in_the_place_of_an_earlier_evaluations_file_is_refused_by_name(command, run, name):
    """Before event files are replaced."""
    evaluate(command, run)
    (run / name).unlink()
    (run / name).mkdir()
    assert_refused(command, run, *QUICK, words=(Path(name).name, "move"))


@pytest.mark.parametrize("name", ["evaluation", "00000", "00000/codes", *PROJECTOR])
def test_links_are_not_followed(command, run, name):
    victim = run.parent / "victim"
    victim.mkdir()
    for file in (
        "tensors.tsv",
        "sprite.png",
        "report.html",
        "summary.json",
        "projector_config.pbtxt",
        "codes",
    ):
        (victim / file).write_text("mine")
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    target = victim / Path(name).name
    (run / name).symlink_to(target if target.is_file() else victim)
    assert_refused(command, run, *QUICK, words=(str(run / name), "link"))


def test_links_in_the_place_of_event_files_are_replaced(command, run):
    victim = run.parent / "victim"
    victim.write_text("mine")
    (run / "events.out.tfevents.1.host.evaluation").symlink_to(victim)
    evaluate(command, run)
    assert victim.read_text() == "mine" and len(list(run.glob("*.evaluation"))) == 1


def test_a_projector_of_ones_own_is_refused_by_name(command, run):
    evaluate(command, run)
    config = run / "projector_config.pbtxt"
    config.write_text(config.read_text() + 'embeddings {\n  tensor_path: "00000/mine/tensors.tsv"\n}\n')
    assert_refused(command, run, *QUICK, words=("projector_config.pbtxt", "move"))
