"""The registry of metrics: every reported number has a row, and a row says which direction is better."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vae_cli.errors import UserError
from vae_cli.metrics import registry
from vae_cli.metrics.registry import METRICS, Metric, direction, headlines, metric, register
from vae_cli.runs import record
from vae_cli.runs.folder import RunFolder

BYPRODUCTS = ("standard_error", "samples")  # how a metric was measured
COORDINATES = ("step", "epoch")  # of a line of metrics.jsonl


@pytest.fixture(scope="module")
def reported(command, trained, original_bernoulli, original_deterministic, tmp_path_factory) -> set[str]:
    """Every metric of six small runs, and of four evaluations with all that vae-eval measures."""
    data = Path(__file__).parents[1] / "data"
    gaussian = trained("gaussian", "data=mnist", f"data.root={data}", "data.validation_size=100", "nll_samples=2",
                       "gradient_draws=2")  # fmt: skip
    bits = (
        "latent=bernoulli",
        "latent.code_size=3",
        "estimator=disarm",
        "objective.samples=4",
        "data.train_size=60",
    )
    names: set[str] = set()
    few = ("data.validation_size=20", "data.test_size=20")
    bound = trained("bound", *bits, *few, "objective=iwae")
    for estimator in ("rebar", "rodeo"):
        names |= logged(trained(estimator, *bits, *few, f"estimator={estimator}", "gradient_draws=2"))
    every = ("nll_samples=100", "classifier_epochs=1", "probe_images=100", "test_images=50", "pictures=[]")
    anomaly = ("anomaly=rectangles",)
    others = (original_bernoulli, original_deterministic, bound)
    for original, options in ((gaussian, anomaly), *((other, ()) for other in others)):
        run = Path(shutil.copytree(original, tmp_path_factory.mktemp("registry") / original.name))
        done = command("vae-eval", f"run={run}", *every, *options, cwd=run.parent)
        assert done.returncode == 0, done.stderr
        names |= record.read(RunFolder(run), run.name).metrics.keys() | logged(run)
    return names


def logged(run: Path) -> set[str]:
    """The names in metrics.jsonl."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = {
        f"{line['split']}.{name}" for line in lines for name in line if name not in ("split", *COORDINATES)
    }
    return {name for name in names if not name.endswith(BYPRODUCTS)}


def test_every_reported_metric_has_a_row(reported):
    assert {"evaluation.auroc", "evaluation.nll_exact", "evaluation.bound_10", "validation.gradient_variance",
            "evaluation.code_logistic", "evaluation.gap", "train.epoch_elbo", "seconds"} <= reported  # fmt: skip
    assert {name for name in reported if not metric(name).meaning} == set()


def test_every_row_is_reported(reported):
    """A row whose metric nothing computes is dead."""
    found = {"bound_K" if "bound_" in name else metric(name).name for name in reported}
    assert METRICS.keys() - found == set()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in METRICS.values()])
def test_the_direction_fits_the_unit_and_the_floor(row):
    """Accuracies are better when they are higher; what cannot pass the entropy is better near to it."""
    assert row.meaning and row.direction in ("max", "min", None)
    if row.unit in ("accuracy", "area", "precision"):
        assert row.direction == "max"
    if row.floor is not None:
        assert row.unit == registry.NATS
        assert row.direction == ("max" if row.floor(3.0) == -3.0 else "min")
    if row.headline:
        assert row.direction is not None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("evaluation.classifier_accuracy", "max"),
        ("evaluation.pixels_logistic", "max"),
        ("pixels_neighbours", "max"),
        ("test.nll", "min"),
        ("evaluation.bound_100", "max"),
        ("train.epoch_elbo", "max"),
    ],
)
def test_the_direction_of_a_metric_of_any_split(name, expected):
    assert direction(name) == expected


@pytest.mark.parametrize("name", ["test.novelty", "novelty", "evaluation.anomaly_nll", "entropy"])
def test_a_metric_without_a_direction_asks_for_one(name):
    with pytest.raises(UserError, match=f"{name} is better; say best=max or best=min"):
        direction(name)


def test_the_row_of_a_bound_has_its_own_name():
    assert metric("evaluation.bound_100").name == "bound_100"
    assert metric("evaluation.bound_100").unit == registry.NATS


def test_the_floor_comes_from_the_entropy():
    floors = {name: row.floor(5.0) for name, row in METRICS.items() if row.floor}
    assert floors == {"nll": 5.0, "nll_exact": 5.0, "gap": 0.0, "elbo": -5.0, "bound": -5.0, "bound_K": -5.0}


def test_a_users_own_metric_is_registered_once(monkeypatch):
    monkeypatch.setattr(registry, "METRICS", dict(METRICS))
    row = Metric("novelty", "nats/image", "max", "of this test", headline=True)
    register(row)
    register(row)
    assert direction("test.novelty") == "max" and headlines()[-1] == row
    with pytest.raises(ValueError, match="novelty"):
        register(row._replace(direction="min"))


def test_torch_is_not_imported():
    code = "import sys, vae_cli.metrics.registry; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
