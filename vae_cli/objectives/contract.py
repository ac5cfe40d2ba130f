"""The contract between an objective and whatever trains it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from vae_cli.models.vae import VAE

# name → this step's value: a float, or a tensor inside a compiled or captured step
Schedule = Mapping[str, Any]


class Terms(NamedTuple):
    """One number for each example. Means over the batch are taken once, by the caller."""

    loss: Tensor  # [B], minimized
    reported: dict[str, Tensor]  # name → [B], without gradient; logged under train/


class Objective(nn.Module):
    """What training minimizes. The optimizer updates its parameters together with the model's, and a checkpoint holds
    its parameters and buffers."""

    terms: tuple[str, ...]  # the names in `Terms.reported`, in order; known before the first step
    monitor: str  # the validation metric that selects best.pt and stops early; its direction is in metrics.registry
    samples: int  # decoder evaluations for each image

    def schedule(self, step: int) -> dict[str, float]:
        """The values that change with the step, its estimator's included. They are logged under train/."""
        return {}

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        """`inputs` [B, D] is what the encoder sees (x, or x corrupted), x [B, D] the target, `noise` [samples, B, V]
        the latent's noise, `schedule` this step's values."""
        raise NotImplementedError

    def bound(self, model: VAE, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """What it adds to the validation metrics: name → one number for each image, [B]."""
        return {}
