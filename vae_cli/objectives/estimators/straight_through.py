"""Hard samples in the forward pass, the gradient of their mean in the backward pass."""

from torch import Tensor

from vae_cli.models.posterior import Posterior
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, Integrand


class StraightThrough(Estimator):
    """Evaluates f at a hard sample and differentiates as if the sample were its mean. It is biased and has no temperature.

    "Estimating or Propagating Gradients Through Stochastic Neurons" (Bengio et al., 2013), arXiv:1308.3432.
    """

    def forward(self, q: Posterior, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        value = f(q.sample(noise) + (q.mean - q.mean.detach())).mean(0)
        return Estimate(value, value.detach())
