"""A user's own objective and estimator, from a folder of the user's own: trained, saved, resumed, packed, and refused
without `external_targets=true`."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Command, later_counts

import vae_cli
from vae_cli.errors import UserError

OBJECTIVE = """
name: precision
_target_: own_parts.LearnedPrecision
samples: 2
units: 20.0
pressure_steps: 10
"""
ESTIMATOR = """
name: baseline
_target_: own_parts.LearnedBaseline
rate: 0.5
"""
OWN = ("--config-dir", "mine", "latent=bernoulli", "estimator=baseline", "objective=precision")
SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=60", "data.validation_size=20", "data.test_size=20", "network.hidden=[8]", "latent.code_size=3",
    "batch_size=8", "log_every=3", "nll_samples=4", "optimizer.lr=0.01", "epochs=2",
)  # fmt: skip
ALLOWED = "external_targets=true"


@pytest.fixture
def cwd(tmp_path) -> Path:
    """A folder with options of one's own, and with their classes."""
    for group, name, text in (
        ("objective", "precision", OBJECTIVE),
        ("objective", "typo", OBJECTIVE.replace("LearnedPrecision", "UnknownMonitor")),
        ("estimator", "baseline", ESTIMATOR),
    ):
        (tmp_path / "mine" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / group / f"{name}.yaml").write_text(text)
    shutil.copy(Path(__file__).with_name("own_parts.py"), tmp_path)
    return tmp_path


@pytest.fixture
def command(command_server, cwd) -> Command:
    """With PYTHONPATH=cwd."""
    return partial(command_server.run, before=(Path(__file__).with_name("module_path.py"), [str(cwd)]))


def train(command, cwd: Path, folder: str, *words: str) -> Path:
    words = later_counts(*OWN, *SMALL, ALLOWED, *words, f"hydra.run.dir={folder}")
    done = command("vae-train", *words, cwd=cwd)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return cwd / folder


def saved(folder: Path, name: str = "last") -> dict:
    return torch.load(folder / f"checkpoints/{name}.pt", weights_only=True)


def metrics(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "examples_per_second"} for line in lines]


def assert_same(a: Path, b: Path) -> None:
    """Bit for bit: parameters of model, objective and estimator, the optimizer's state, and the metrics."""
    ours, theirs = saved(a), saved(b)
    assert (
        ours["model"].keys() == theirs["model"].keys()
        and ours["objective"].keys() == theirs["objective"].keys()
    )
    for part in ("model", "objective"):
        for name, value in ours[part].items():
            assert torch.equal(value, theirs[part][name]), name
    assert str(ours["optimizer"]) == str(theirs["optimizer"])
    assert metrics(a) == metrics(b)


def test_parameters_of_objective_and_estimator_are_trained_and_saved(command, cwd):
    folder = train(command, cwd, "run")
    objective = saved(folder)["objective"]
    assert objective.keys() == {"log_precision", "estimator.baseline"}
    assert all(value != 0 for value in objective.values())
    lines = metrics(folder)
    training = [line for line in lines if line["split"] == "train" and "weighted" in line]
    assert training[0]["pressure"] == pytest.approx(0.2) and training[-1]["pressure"] == 1
    assert training[-1]["baseline_rate"] == pytest.approx(0.5 / (1 + training[-1]["step"] - 1))
    validated = {line["step"]: line["weighted"] for line in lines if line["split"] == "validation"}
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["best_step"] == min(validated, key=validated.__getitem__)
    precision = saved(folder, "best")["objective"]["log_precision"].exp().item()
    test = summary["test"]
    assert test["weighted"] == pytest.approx(test["rate"] + precision * test["distortion"], rel=0.05)


@pytest.mark.parametrize("runtime", ["eager", "graph"])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(command, cwd, runtime):
    whole = train(command, cwd, "whole", f"runtime={runtime}")
    part = train(command, cwd, "part", f"runtime={runtime}", "epochs=1")
    done = command("vae-train", "resume=part", "epochs=2", ALLOWED, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert_same(whole, part)


def test_the_traced_step_is_bit_for_bit_the_eager_one(command, cwd):
    assert_same(train(command, cwd, "eager", "runtime=eager"), train(command, cwd, "graph", "runtime=graph"))


def test_packed_members_train_as_they_do_alone(command, cwd):
    words = ("-m", *OWN, *SMALL, ALLOWED, "precision=float64")
    done = command("vae-train", *words, "seed=0,1", "hydra/launcher=packed", "name=pack", cwd=cwd)
    assert done.returncode == 0, done.stderr
    members = sorted((cwd / "outputs/pack").glob("*/checkpoints"))
    assert len(members) == 2 and "2 members as one model" in done.stdout + done.stderr
    for packed in (checkpoints.parent for checkpoints in members):
        seed = yaml.safe_load((packed / ".hydra/config.yaml").read_text())["seed"]
        alone = train(command, cwd, f"alone{seed}", f"seed={seed}", "precision=float64")
        for part in ("model", "objective"):
            for name, value in saved(alone)[part].items():
                torch.testing.assert_close(saved(packed)[part][name], value, rtol=1e-9, atol=1e-12)


def test_the_run_is_evaluated_and_loaded_where_it_is_allowed(command, cwd, monkeypatch):
    folder = train(command, cwd, "run")
    done = command("vae-eval", "run=run", "nll_samples=10", "pictures=[samples]", ALLOWED, cwd=cwd)
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(cwd)
    assert vae_cli.load(folder, device="cpu", external_targets=True).step == 16


REFUSED = "_target_=own_parts"


def test_without_the_switch_nothing_of_it_is_executed(command, cwd, monkeypatch):
    """One line, and the class's module is not imported: it would write a file here."""
    folder = train(command, cwd, "run")
    with (cwd / "own_parts.py").open("a") as file:
        file.write("\nopen('executed', 'w').close()\n")
    for words in (
        ("vae-train", *OWN, *SMALL, "hydra.run.dir=new"),
        ("vae-train", "resume=run", "epochs=3"),
        ("vae-eval", "run=run"),
    ):
        done = command(*words, cwd=cwd)
        assert done.returncode == 2, words
        (line,) = done.stderr.splitlines()
        assert REFUSED in line and ALLOWED in line
    monkeypatch.chdir(cwd)
    with pytest.raises(UserError, match=REFUSED):
        vae_cli.load(folder, device="cpu")
    assert not (cwd / "executed").exists() and not (cwd / "new").exists()


def test_an_objective_that_monitors_an_unknown_metric_is_refused_before_there_is_a_folder(command, cwd):
    words = later_counts(*OWN, "objective=typo", *SMALL, ALLOWED, "hydra.run.dir=new")
    done = command("vae-train", *words, cwd=cwd)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "monitors 'weigthed'" in line and "did you mean 'weighted'" in line
    assert not (cwd / "new").exists()


def test_a_key_that_the_class_does_not_take_is_refused(command, cwd):
    done = command("vae-train", *OWN, *SMALL, ALLOWED, "+objective.unit=3", "hydra.run.dir=new", cwd=cwd)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'objective.unit'" in line and "did you mean" in line
    assert not (cwd / "new").exists()
