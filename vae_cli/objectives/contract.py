"""The contract between an objective and whatever trains it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from vae_cli.models.vae import VAE

# name → this step's value: a float, or a tensor inside a compiled or captured step
Schedule = Mapping[str, Any]


class Terms(NamedTuple):
    """One number for each example. Means over the batch are taken once, by the caller."""

    loss: Tensor  # [B], minimized
    reported: dict[str, Tensor]  # name → [B], without gradient; logged under train/
    control: Tensor | None = None  # [B], minimized beside the loss by `Objective.own_optimizer`


class Objective(nn.Module):
    """What training minimizes. A checkpoint holds its parameters and buffers. The optimizer updates its parameters together
    with the model's, except for those that it trains by an optimizer of its own."""

    terms: tuple[str, ...]  # the names in `Terms.reported`, in order; known before the first step
    monitor: str  # the validation metric that selects best.pt and stops early; its direction is in metrics.registry
    samples: int  # decoder evaluations for each image

    @property
    def rows(self) -> int:
        """The rows of noise that a step takes: one evaluation may need more than one row, or share it."""
        return self.samples

    def schedule(self, step: int) -> dict[str, float]:
        """The values that change with the step, its estimator's included. They are logged under train/."""
        return {}

    def own_optimizer(self) -> Optimizer | None:
        """Trains some of its parameters on `Terms.control`. None: there are no such parameters."""
        return None

    def own_metrics(self) -> dict[str, Tensor]:
        """What it has learned about itself, its estimator included; logged with each validation: name → a number."""
        return {}

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        """`inputs` [B, D] is what the encoder sees (x, or x corrupted), x [B, D] the target, `noise` [rows, B, V]
        the latent's noise, `schedule` this step's values."""
        raise NotImplementedError

    def bound(self, model: VAE, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """What it adds to the validation metrics, from hard codes: name → one number for each image, [B]. `noise`
        [samples, B, V]."""
        return {}
