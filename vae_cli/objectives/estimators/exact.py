"""Gradients from all values of a unit, or of the whole code."""

import torch
from torch import Tensor

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, along, from_samples
from vae_cli.objectives.target import Target


class Exact(Estimator):
    """E_q[f] as the sum over all codes, differentiated as it stands: no bias and no variance.

    The codes are decoded once for the whole batch, and log p(x|z) of all pairs is a matrix product. 10 bits cost as much as
    8 samples of each of 128 images.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        codes, log_weights = target.all_codes()
        expectation = (target.q.pairwise_log_prob(codes).exp() * log_weights).sum(0)
        return Estimate(expectation, expectation.detach(), expectation.detach()[None])


class LocalExpectation(Estimator):
    """p (1 − p) (f(z with z_k = 1) − f(z with z_k = 0)) for each bit k: K + 1 evaluations a sample, and the least variance of
    all unbiased estimators for as many samples.

    "Local Expectation Gradients for Black Box Variational Inference" (Titsias and Lázaro-Gredilla, 2015), arXiv:1503.01494.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def rows(self, samples: int) -> int:
        return samples // (self.units + 1)

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q = target.q
        z = q.sample(noise).detach()  # [S, B, K]
        log_weights = target.of_samples(z)
        up = 1 - 2 * z  # by what a unit changes when it flips
        flipped = (
            z + torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)[:, None, None] * up
        )  # [K, S, B, K]
        with torch.no_grad():
            others = target.frozen(flipped.flatten(0, 1)).unflatten(0, flipped.shape[:2])
        difference = (others - log_weights.detach()).movedim(0, -1) * up  # f(1) − f(0), [S, B, K]
        slope = (q.logits.sigmoid() * (-q.logits).sigmoid()).detach()
        return from_samples(target, log_weights, along(q.logits, slope * difference.mean(0)))
