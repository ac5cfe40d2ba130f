"""Hard samples in the forward pass; in the backward pass, the gradient at the sample, times a weight for each unit.

    gradient in the logits h_k = w(z_k; h_k, noise_k) ∂f/∂z_k at the hard z

They are biased: exact where f is linear in each unit (or quadratic, for ReinMax at temperature 1).
"""

from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.posterior import apply
from vae_cli.models.softplus import softplus
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, from_samples
from vae_cli.objectives.estimators.relaxation import Relaxation
from vae_cli.objectives.target import Target


class _StraightThrough(Estimator):
    """Of bits."""

    def weight(self, q: Bernoulli, z: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        """w [S, B, K] of the hard samples z [S, B, K]; `q` carries no gradient."""
        raise NotImplementedError

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q = Bernoulli(target.q.logits.detach())
        z = q.sample(noise[: self._samples(noise)])
        weight = self.weight(q, z, noise, schedule)
        return from_samples(target, target.of_samples(z + weight * (target.q.logits - q.logits)))

    def _samples(self, noise: Tensor) -> int:
        return len(noise)


class StraightThrough(_StraightThrough):
    """w = p (1 − p), as if the sample were its mean. It has no temperature.

    "Estimating or Propagating Gradients Through Stochastic Neurons" (Bengio et al., 2013), arXiv:1308.3432.
    """

    def weight(self, q: Bernoulli, z: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        return q.mean * (-q.logits).sigmoid()


class ReinMax(Estimator):
    """The gradient through 2 π − p / 2, where π is the mean of the sample and of its tempered probabilities. For bits,
    w = 2 π (1 − π) − p (1 − p) / 2, and at temperature 1, w = |z − p| / 2, the trapezoid rule. The repository of the paper
    refuses temperatures below 1.

    "Bridging Discrete and Backpropagation: Straight-Through and Beyond" (Liu et al., 2023), arXiv:2304.08612.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q = target.q
        z = q.sample(noise).detach()
        tempered = apply(lambda logits: logits.detach() / self.temperature, q).mean
        through = 2 * q.with_mean((z + tempered) / 2) - q.mean / 2
        return from_samples(target, target.of_samples(z + through - through.detach()))


class StraightThroughGumbel(Relaxation, _StraightThrough):
    """w = y (1 − y) / temperature with y = sigmoid((h + noise) / temperature), the relaxed sample of the same noise.

    "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., 2017), arXiv:1611.01144, section 2.2.
    """

    def weight(self, q: Bernoulli, z: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        temperature = schedule["temperature"]
        return _slope((q.logits + noise) / temperature) / temperature


class GumbelRao(Relaxation, _StraightThrough):
    """The mean of StraightThroughGumbel's weight over `draws` noises that make the same hard sample: less variance, and no
    further evaluation of the decoder.

    "Rao-Blackwellizing the Straight-Through Gumbel-Softmax Gradient Estimator" (Paulus et al., 2021), arXiv:2010.04838.
    """

    def __init__(
        self, draws: int, temperature: float, anneal_rate: float, minimum_temperature: float
    ) -> None:
        super().__init__(temperature, anneal_rate, minimum_temperature)
        self.draws = draws

    def rows(self, samples: int) -> int:
        return samples * (1 + self.draws)

    def _samples(self, noise: Tensor) -> int:
        return len(noise) // (1 + self.draws)

    def weight(self, q: Bernoulli, z: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
        temperature = schedule["temperature"]
        other = noise[len(z) :].unflatten(0, (self.draws, len(z)))
        return (_slope(conditional(q.logits, z, other) / temperature) / temperature).mean(0)


def _slope(y: Tensor) -> Tensor:
    """The derivative of the sigmoid."""
    return y.sigmoid() * (-y).sigmoid()


def conditional(logits: Tensor, z: Tensor, noise: Tensor) -> Tensor:
    """h + noise, given that its sign makes the hard sample z, from independent logistic noise. Stable for every logit:
    it never forms a probability of the truncated noise."""
    sign = 2 * z - 1
    return sign * softplus(sign * noise + softplus(sign * logits))
