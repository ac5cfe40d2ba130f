"""What a run computes when it validates: metrics of the validation images, and pictures for TensorBoard."""

import math

import numpy as np

from vae_cli.engine.experiment import Experiment
from vae_cli.metrics import bound, gradients
from vae_cli.metrics.registry import direction
from vae_cli.reporting import plots, previews
from vae_cli.training.divergence import Before, diverged

SAMPLES = 64


def validation_metrics(experiment: Experiment, step: int, before: Before) -> tuple[bound.Metrics, float]:
    """The metrics after so many steps, and the score by which the best state is chosen: higher is better. Raises
    Diverged if the monitored metric is not finite."""
    data, objective, config = experiment.data, experiment.objective, experiment.config
    metrics = bound.bound(
        experiment.model, data, data.validation, objective.samples, seed=1, objective=objective
    )
    value = float(metrics[objective.monitor])  # type: ignore[arg-type]  # a number, not a list
    if not math.isfinite(value):
        raise diverged(experiment, f"validation {objective.monitor} is {value}", step, before)
    metrics |= {name: float(value.detach()) for name, value in objective.own_metrics().items()}
    if config.gradient_draws:
        metrics |= _gradient_metrics(experiment, step)
    return metrics, value if direction(objective.monitor) == "max" else -value


def _gradient_metrics(experiment: Experiment, step: int) -> bound.Metrics:
    """The variance of the estimator's gradient on one batch of validation images, with the schedule of the last step."""
    data, config = experiment.data, experiment.config
    like = next(experiment.model.parameters())
    x = data.pixels(data.validation.images[: config.batch_size].to(like.device), like.dtype)
    schedule = experiment.objective.schedule(step - 1)
    return gradients.gradient_metrics(
        experiment.model, experiment.objective, x, config.gradient_draws, schedule
    )


def pictures(experiment: Experiment) -> dict[str, np.ndarray]:
    """Samples, and test images above their reconstructions."""
    model, data = experiment.model, experiment.data
    samples = previews.prior_samples(model, data, SAMPLES)
    images = previews.observed_and_reconstructed(model, data)
    return {
        "samples": plots.grid(samples, data.shape, 8, magnify=2),
        "reconstructions": plots.grid(images, data.shape, len(images) // 2, magnify=2),
    }
