"""The step metrics between two log lines: their sums over examples."""

import torch
from torch import Tensor

from vae_cli.engine.experiment import Experiment


def sums_over_examples(experiment: Experiment, step_metrics: Tensor, step: int) -> list[float]:
    """The sums of the metrics [steps, 1 + terms] over the examples of these steps, then the number of examples. `step` is
    the number of the last one."""
    n, batch_size = len(experiment.data.train.images), experiment.config.batch_size
    examples = torch.full((len(step_metrics), 1), float(batch_size), dtype=step_metrics.dtype)
    if step % experiment.steps_per_epoch == 0:  # the last batch of an epoch may be smaller
        examples[-1] = n - (experiment.steps_per_epoch - 1) * batch_size
    return [*(step_metrics * examples).sum(0).tolist(), examples.sum().item()]
