"""An estimator's gradient at the present parameters of a model: its variance, its signal, and its bias."""

import copy
import math

import torch
from torch import Generator, Tensor

from vae_cli.metrics.bound import Metrics
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Schedule
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.exact import Exact

ENUMERABLE = 2**12  # codes, for the exact gradient


def gradient_metrics(model: VAE, objective: Objective, x: Tensor, draws: int, schedule: Schedule) -> Metrics:
    """Of the batch's mean gradient over `draws` noises, all of the encoder's parameters together: the variance, summed over
    parameters; the squared norm of the mean; the norm over the square root of the variance (signal-to-noise ratio); and, for
    an ELBO whose codes can be enumerated, the distance of the mean from the exact gradient in its standard errors, about 1
    without bias. Estimators are compared on the same model.
    """
    objective = copy.deepcopy(objective)  # measuring must not move a moving-average baseline
    parameters = list(model.encoder.parameters())
    generator = Generator(x.device).manual_seed(0)
    total = [torch.zeros_like(p) for p in parameters]
    squares = x.new_zeros(())
    for _ in range(draws):
        noise = model.latent.noise((objective.rows, len(x)), generator, x)
        gradient = _gradient(model, objective, x, noise, schedule)
        torch._foreach_add_(total, gradient)
        squares += _square(gradient)
    mean = [t / draws for t in total]
    variance = (squares / draws - _square(mean)) * draws / (draws - 1)
    square = _square(mean) - variance / draws  # E[|mean of n draws|²] = |true gradient|² + variance / n
    found: Metrics = {
        "gradient_variance": float(variance),
        "gradient_square": float(square),
        "gradient_snr": math.sqrt(max(0.0, float(square)) / max(float(variance), 1e-30)),
    }
    if (exact := exact_gradient(model, objective, x, schedule)) is not None and variance > 0:
        distance = _square([a - b for a, b in zip(mean, exact, strict=True)])
        found["gradient_bias"] = float((draws * distance / variance).sqrt())
    return found


def exact_gradient(model: VAE, objective: Objective, x: Tensor, schedule: Schedule) -> list[Tensor] | None:
    """Of the batch's mean loss in the encoder's parameters; None where it cannot be enumerated."""
    count = model.latent.code_count
    if not isinstance(objective, ELBO) or count is None or count > ENUMERABLE:
        return None
    enumerated = copy.copy(objective)
    enumerated._modules = {**objective._modules, "estimator": Exact()}
    noise = x.new_zeros(1, len(x), model.latent.decoder_inputs)
    return _gradient(model, enumerated, x, noise, schedule)


def _gradient(model: VAE, objective: Objective, x: Tensor, noise: Tensor, schedule: Schedule) -> list[Tensor]:
    loss = objective(model, x, x, noise, schedule).loss.mean()
    return list(torch.autograd.grad(loss, list(model.encoder.parameters())))


def _square(gradient: list[Tensor]) -> Tensor:
    return torch.stack([g.square().sum() for g in gradient]).sum()
