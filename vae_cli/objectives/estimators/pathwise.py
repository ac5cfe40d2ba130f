"""The gradient through the sample itself."""

from torch import Tensor

from vae_cli.models.posterior import Posterior
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, Integrand


class Pathwise(Estimator):
    """Differentiates through the sample. It is unbiased for codes that are smooth in their parameters.

    "Auto-Encoding Variational Bayes" (Kingma and Welling, 2014), arXiv:1312.6114.
    """

    def forward(self, q: Posterior, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        value = f(q.sample(noise)).mean(0)
        return Estimate(value, value.detach())
