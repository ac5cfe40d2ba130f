"""Gradients through the sample itself, of codes that are smooth in their parameters."""

import torch
from torch import Tensor

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, from_samples
from vae_cli.objectives.target import Target, detached


class Pathwise(Estimator):
    """Differentiates through the sample. It is unbiased for every bound.

    "Auto-Encoding Variational Bayes" (Kingma and Welling, 2014), arXiv:1312.6114.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        return from_samples(target, target.log_weight(target.q.sample(noise), target.q))


class StickingTheLanding(Estimator):
    """The path alone: the gradient of log q in its own parameters, whose mean is 0, is left out. Where q is the posterior,
    the variance is 0. It is biased for a bound of several samples.

    "Sticking the Landing" (Roeder et al., 2017), arXiv:1703.09194.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        return from_samples(target, target.log_weight(target.q.sample(noise), detached(target.q)))


class DoublyReparameterized(Estimator):
    """As StickingTheLanding, with the path's weights multiplied by `Reduction.path_ratio`, which makes it unbiased for a
    bound of several samples. The weights cost one more pass through the decoder, without gradients.

    "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives" (Tucker et al., 2019), arXiv:1810.04152.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z, q = target.q.sample(noise), detached(target.q)
        with torch.no_grad():
            log_weights = target.log_weight(z, q)
        ratio = target.reduction.path_ratio(log_weights)[..., None]
        log_weights = target.log_weight(z * ratio + (z * (1 - ratio)).detach(), q)
        weighted = (target.reduction.weights(log_weights).detach() * log_weights).sum(0)
        value = target.reduction(log_weights).detach()
        return Estimate(value + weighted - weighted.detach(), value, log_weights.detach())
