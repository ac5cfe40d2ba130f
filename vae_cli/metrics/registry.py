"""Every metric that training, evaluation and comparison report: its unit, which direction is better, what it means.

A metric is one function that computes it and one row here. Tables, cards, charts and `best=auto` read these rows.
Imports no torch.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from vae_cli.errors import UserError

Direction = Literal["max", "min"]

NATS = "nats/image"
# units of metrics that are whole numbers; "" is that of metrics without a row
COUNTS = ("", "units", "codes", "steps")
SPLITS = ("test", "validation", "evaluation")  # in this order a comparison looks for a metric


class Metric(NamedTuple):
    """One row. `name` has no split: `nll` is the row of `test.nll` and of `evaluation.nll`."""

    name: str
    unit: str = ""
    direction: Direction | None = None  # None: neither higher nor lower is better
    meaning: str = ""
    floor: Callable[[float], float] | None = None  # entropy of the data → the value that no model can pass
    headline: bool = False  # shown first: a card on the pages of vae-eval and vae-compare
    console: bool = False  # in the lines that a run prints while it trains

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    @property
    def is_count(self) -> bool:
        return self.unit in COUNTS


# In order of importance: cards, console lines and `value=auto` keep this order.
_ROWS = (
    Metric("loss", NATS, "min", "what the optimizer minimizes", console=True),
    Metric("nll", NATS, "min", "−log p(x), estimated by importance sampling", lambda h: h, headline=True),
    Metric("nll_exact", NATS, "min", "−log p(x), computed by enumerating all codes", lambda h: h),
    Metric("gap", NATS, "min", "nll − entropy of the data", lambda h: 0.0, headline=True),
    Metric("elbo", NATS, "max", "lower bound on log p(x): −(rate + distortion)", lambda h: -h, headline=True, console=True),
    Metric("bound", NATS, "max", "the bound of several samples that objective=iwae and rws train", lambda h: -h, console=True),
    Metric("rate", NATS, "min", "KL(q(z|x) ‖ p(z))", headline=True, console=True),
    Metric("distortion", NATS, "min", "−E_q[log p(x|z)]", headline=True, console=True),
    Metric("active_units", "units", "max", "units whose posterior mean varies between images", headline=True, console=True),
    Metric("rate_per_unit", NATS, None, "the rate of each unit"),
    Metric("entropy", NATS, None, "entropy of the data's distribution: the lowest possible nll"),
    Metric("bound_K", NATS, "max", "importance-weighted bound on log p(x) from K samples", lambda h: -h),
    Metric("inference_gap", NATS, "min", "KL(q(z|x) ‖ p(z|x)): log p(x) − elbo"),
    Metric("sampling_gap", NATS, "min", "exact − importance-sampled log p(x)"),
    Metric("effective_sample_size", "samples", "max", "of the importance weights of the trained bound: at most objective.samples"),
    # the code
    Metric("mutual_information", NATS, "max", "I(x; z) of image and code", headline=True),
    Metric("marginal_kl", NATS, "min", "KL(q(z) ‖ p(z)); with the mutual information it makes up the rate"),
    Metric("code_entropy", "nats", "max", "entropy of q(z)"),
    Metric("distinct_codes", "codes", "max", "different most probable codes of the test images"),
    Metric("largest_correlation", "1", "min", "largest absolute correlation between two bits, or Cramér's V between two categories"),
    # classifiers
    Metric("code_logistic", "accuracy", "max", "logistic regression on code means"),
    Metric("code_neighbours", "accuracy", "max", "nearest neighbours on code means"),
    Metric("pixels_logistic", "accuracy", "max", "logistic regression on raw pixels"),
    Metric("pixels_neighbours", "accuracy", "max", "nearest neighbours on raw pixels"),
    Metric("classifier_loss", "nats/label", "min", "test cross-entropy of a classifier on pixels"),
    Metric("classifier_accuracy", "accuracy", "max", "test accuracy of a classifier on pixels"),
    # anomalies
    Metric("auroc", "area", "max", "area under the ROC curve of −log p(x) as an anomaly score", headline=True),
    Metric("average_precision", "precision", "max", "average precision of −log p(x) as an anomaly score"),
    Metric("anomaly_nll", NATS, None, "−log p(x) of the anomalies"),
    # training
    Metric("gradient_variance", "", "min", "variance of the encoder's gradient over noise, summed over parameters"),
    Metric("gradient_square", "", None, "squared norm of the encoder's mean gradient"),
    Metric("gradient_snr", "", "max", "norm of the encoder's mean gradient over the square root of its variance"),
    Metric("gradient_bias", "standard errors", "min", "how far the mean gradient is from the exact one; about 1 without bias"),
    Metric("control_temperature", "", None, "learned temperature of a relaxed control variate"),
    Metric("control_scale", "", None, "learned scale of a relaxed control variate"),
    Metric("control_alpha", "", None, "learned weight of a control variate of the baseline"),
    Metric("control_beta", "", None, "learned weight of a control variate of the gradient"),
    Metric("gradient_norm", "", None, "norm of the last gradient before clipping"),
    Metric("learning_rate", "", None, "learning rate of the step"),
    Metric("beta", "", None, "weight of the rate in the loss"),
    Metric("temperature", "", None, "temperature of the relaxed code"),
    Metric("examples_per_second", "images/s", "max", "training images per second"),
    Metric("seconds", "s", "min", "seconds of training, without validation"),
    Metric("steps", "steps", "min", "optimizer steps of training"),
)  # fmt: skip
METRICS: dict[str, Metric] = {row.name: row for row in _ROWS}


def metric(name: str) -> Metric:
    """The row of `test.nll`, `evaluation.bound_100`, `epoch_elbo` or `nll`. A name without a row gets one that knows
    neither unit nor direction."""
    base = name.rpartition(".")[2].removeprefix("epoch_")  # epoch_X is the mean of X over an epoch
    if base.startswith("bound_"):
        return METRICS["bound_K"]._replace(name=base)
    return METRICS.get(base) or Metric(base)


def direction(name: str) -> Direction:
    """Whether the best value of a metric is its highest or its lowest one. Raises UserError where it has neither."""
    if (found := metric(name).direction) is None:
        raise UserError(
            f"best=auto: it is not known whether a higher or a lower {name} is better; say best=max or best=min"
        )
    return found


def register(row: Metric) -> None:
    """Add the row of a metric that a user's own objective or estimator reports. Raises ValueError for a name that
    another row has."""
    if METRICS.setdefault(row.name, row) != row:
        raise ValueError(f"there is a metric {row.name!r} already")


def headlines() -> list[Metric]:
    return [row for row in METRICS.values() if row.headline]
