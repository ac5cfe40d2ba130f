"""Score-function gradients for bits from coupled samples, each of which is marginally a sample of q."""

import torch
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.softplus import softplus
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, along
from vae_cli.objectives.target import Target


class _Pairs(Estimator):
    """Each noise l makes two codes, b = 1[h + l > 0] and its twin 1[h − l > 0].

    gradient in the logits = Σ over pairs of signal · factor, where the signal is half the difference of R when b changes to
    its twin and of R of the twins when a twin changes to b; for a mean of samples, (f(b) − f(twin)) / pairs.
    """

    def rows(self, samples: int) -> int:
        return samples // 2

    def factor(self, q: Bernoulli, noise: Tensor, b: Tensor, twin: Tensor) -> Tensor:
        """[S, B, K]"""
        raise NotImplementedError

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q, reduction = target.q, target.reduction
        b, twin = q.sample(noise).detach(), q.sample(-noise).detach()
        log_b, log_twin = target.of_samples(torch.stack([b, twin]).flatten(0, 1)).chunk(2)
        there, back = log_b.detach(), log_twin.detach()
        signal = (reduction.without(there, back) - reduction.without(back, there)) / 2
        gradient = (signal[..., None] * self.factor(Bernoulli(q.logits.detach()), noise, b, twin)).sum(0)
        value = (reduction(log_b) + reduction(log_twin)) / 2
        surrogate = value + along(q.logits, gradient)
        return Estimate(surrogate, value.detach(), torch.cat([there, back]))


class ARM(_Pairs):
    """factor = sigmoid(l) − 1/2.

    "ARM: Augment-REINFORCE-Merge Gradient for Stochastic Binary Networks" (Yin and Zhou, 2019), arXiv:1807.11143.
    """

    def factor(self, q: Bernoulli, noise: Tensor, b: Tensor, twin: Tensor) -> Tensor:
        return noise.sigmoid() - 0.5


class DisARM(_Pairs):
    """factor = (b − twin) sigmoid(|h|) / 2, ARM's mean over the noises that make the same pair: less variance.

    For an importance-weighted bound this is the symmetrized local DisARM.
    "DisARM: An Antithetic Gradient Estimator for Binary Latent Variables" (Dong et al., 2020), arXiv:2006.10680; the same as
    U2G (Yin et al., 2020), arXiv:2006.06448.
    """

    def factor(self, q: Bernoulli, noise: Tensor, b: Tensor, twin: Tensor) -> Tensor:
        return (b - twin) * q.logits.abs().sigmoid() / 2


class ARMS(Estimator):
    """n ≥ 2 mutually antithetic codes from a Dirichlet copula; DisARM in law for n = 2.

    gradient = 1 / (n − 1) Σ_i (f_i − mean f) (b_i − p) · debias

    "ARMS: Antithetic-REINFORCE-Multi-Sample Gradient for Binary Variables" (Dimitriev and Zhou, 2021), arXiv:2105.14141.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        n, logits = len(noise), target.q.logits.detach()
        p, rarer = logits.sigmoid(), (-logits.abs()).sigmoid()
        exponential = softplus(-noise)  # Exp(1), from −log u
        antithetic = (1 - exponential / exponential.sum(0)).pow(n - 1)  # each uniform
        b = torch.where(p < 0.5, antithetic < p, 1 - antithetic < p).to(p.dtype)
        both = (2 * rarer.pow(1 / (n - 1)) - 1).clamp(min=0).pow(n - 1)  # P(two codes have the rarer value)
        # at 0 / 0, where the rarer value has no probability left in floating point, and wherever `both` is 0
        debias = (1 - rarer) * torch.where(both > 0, rarer / (rarer - both), 1)
        log_weights = target.of_samples(b)
        fixed = log_weights.detach()
        signal = (fixed - fixed.mean(0)) / (n - 1)
        gradient = (signal[..., None] * (b - p)).sum(0) * debias
        value = log_weights.mean(0)
        return Estimate(value + along(target.q.logits, gradient), value.detach(), fixed)
