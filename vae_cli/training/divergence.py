"""What is said of a run whose loss or parameters are not finite any more: where, what preceded it, and what to try."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from vae_cli.engine.experiment import Experiment
from vae_cli.errors import Diverged

LARGE_PIXEL = 100  # data sets have pixels from 0 to 1, or standardized ones
LOW_TEMPERATURE = 0.05  # the gradient of a relaxation grows with 1 / temperature
USUAL_RATE = 1e-3
LOW_LOG_STD = -6  # a pixel that misses its mean by 0.1 has a distortion of about 800 nats


class Before(NamedTuple):
    """What the last log line knew."""

    step_metrics: Tensor | None = None  # [1 + terms] of its step
    gradient_norm: float = math.nan


def raise_if_diverged(experiment: Experiment, step_metrics: Tensor, step: int, before: Before) -> None:
    """Raises Diverged with the first of these steps whose metrics [steps, 1 + terms] are not finite. `step` is the number
    of the last one."""
    if step_metrics.isfinite().all():
        return
    index, column = (~step_metrics.isfinite()).nonzero()[0].tolist()
    first = step - len(step_metrics) + index + 1
    if index:
        before = before._replace(step_metrics=step_metrics[index - 1])
    name = experiment.step_metrics[column].replace("_", " ")
    raise diverged(experiment, f"{name} is {step_metrics[index, column].item()}", first, before)


def diverged(experiment: Experiment, what: str, step: int, before: Before) -> Diverged:
    """The error that says `what` happened at which step, what preceded it, and what to try."""
    epoch = math.ceil(step / experiment.steps_per_epoch)
    known = ", ".join(_known(experiment, step, before))
    remedies = " or ".join(_remedies(experiment, step))
    return Diverged(f"{what} at step {step}, epoch {epoch}; before: {known}; try {remedies}")


def _known(experiment: Experiment, step: int, before: Before) -> Iterator[str]:
    """The largest term, the norm of the gradient, and the learning rate."""
    if before.step_metrics is not None:
        _, *terms = zip(experiment.step_metrics, before.step_metrics.tolist(), strict=True)
        name, value = max(terms, key=lambda term: abs(term[1]))
        yield f"{name.replace('_', ' ')} {value:.3g}"
    if math.isfinite(before.gradient_norm):
        yield f"gradient norm {before.gradient_norm:.3g}"
    yield f"learning rate {experiment.step_schedule(step - 1).learning_rate:.3g}"


def _remedies(experiment: Experiment, step: int) -> list[str]:
    """The likeliest first, three at most."""
    config = experiment.config
    pixels = experiment.data.train.images.abs().max().item() * experiment.data.scale
    temperature = experiment.step_schedule(step - 1).objective.get("temperature", math.inf)
    log_std = getattr(config.likelihood, "min_log_std", 0)
    found = [
        (pixels > LARGE_PIXEL, f"data of about 1 (their largest pixel is {pixels:.3g})"),
        (temperature < LOW_TEMPERATURE, f"a higher temperature than {temperature:.3g}"),
        (log_std is None or log_std < LOW_LOG_STD, "likelihood.min_log_std=-3"),
        (True, f"optimizer.lr={min(config.optimizer.lr / 10, USUAL_RATE):.1g}"),
        (config.gradient_clip_norm is None, "gradient_clip_norm=1"),
    ]
    return [remedy for applies, remedy in found if applies][:3]
