"""The variance of an estimator's gradient at the present parameters of a model."""

import copy

import torch
from torch import Generator, Tensor

from vae_cli.metrics.bound import Metrics
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Schedule


def gradient_variance(model: VAE, objective: Objective, x: Tensor, draws: int, schedule: Schedule) -> Metrics:
    """The variance over `draws` noises of the batch's mean gradient, summed over the encoder's parameters, and the
    squared norm of the mean gradient. Estimators are compared on the same model."""
    objective = copy.deepcopy(objective)  # measuring must not move a moving-average baseline
    parameters = list(model.encoder.parameters())
    generator = Generator(x.device).manual_seed(0)
    total = [torch.zeros_like(p) for p in parameters]
    squares = x.new_zeros(())
    for _ in range(draws):
        noise = model.latent.noise((objective.samples, len(x)), generator, x)
        loss = objective(model, x, x, noise, schedule).loss.mean()
        gradient = torch.autograd.grad(loss, parameters)
        torch._foreach_add_(total, gradient)
        squares += sum(g.square().sum() for g in gradient)
    mean_square = sum(t.square().sum() for t in total) / draws**2
    variance = (squares / draws - mean_square) * draws / (draws - 1)
    # E[|mean of n draws|²] = |true gradient|² + variance / n
    return {"gradient_variance": float(variance), "gradient_square": float(mean_square - variance / draws)}
