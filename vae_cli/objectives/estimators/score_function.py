"""Score-function gradients: (signal) ∇ log q(z), for any q with a density. They differ in what is subtracted."""

import math

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, from_samples, score
from vae_cli.objectives.reductions import others_logsumexp
from vae_cli.objectives.target import Target, detached


class Reinforce(Estimator):
    """The gradient of R through the score of each sample, less a baseline. It is unbiased.

    `leave_one_out` replaces a sample's log-weight by the mean of the others' and needs at least two samples; for an
    importance-weighted bound this is VIMCO. `moving_average` takes a decayed mean of earlier batches, kept in buffers so
    that a checkpoint holds it.
    "Simple Statistical Gradient-Following Algorithms" (Williams, 1992); "Buy 4 REINFORCE Samples, Get a Baseline for
    Free!" (Kool et al., 2019), which with objective.kl=sampled is "VarGrad" (Richter et al., 2020), arXiv:2010.10436;
    "Variational Inference for Monte Carlo Objectives" (Mnih and Rezende, 2016), arXiv:1602.06725.
    """

    total: Tensor
    weight: Tensor

    def __init__(self, baseline: str, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.signal = {"leave_one_out": _leave_one_out, "moving_average": self._less_moving_average}[baseline]
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z = target.q.sample(noise).detach()
        log_weights = target.of_samples(z)
        signal = self.signal(target, log_weights.detach())
        return from_samples(target, log_weights, (signal * score(target.q, z)).sum(0))

    def _less_moving_average(self, target: Target, log_weights: Tensor) -> Tensor:
        """The mean of earlier batches, 0 before the first. It does not depend on this batch, hence adds no bias."""
        baseline = self.total / self.weight.clamp(min=1e-12)
        self.total.mul_(self.decay).add_(target.reduction(log_weights).mean() * (1 - self.decay))
        self.weight.mul_(self.decay).add_(1 - self.decay)
        return target.reduction.share(log_weights - baseline)


def _leave_one_out(target: Target, log_weights: Tensor) -> Tensor:
    assert len(log_weights) > 1, "leave_one_out needs at least two samples"
    others = (log_weights.sum(0) - log_weights) / (len(log_weights) - 1)
    return target.reduction.without(log_weights, others)


class NVIL(Estimator):
    """REINFORCE with a baseline that a network predicts from the image, a moving average, and, with `normalize`, division
    by a moving standard deviation, which acts as a step size: without it the gradient is unbiased.

    "Neural Variational Inference and Learning in Belief Networks" (Mnih and Gregor, 2014), arXiv:1402.0030.
    """

    mean: Tensor
    variance: Tensor

    def __init__(
        self, decay: float, normalize: bool, control_hidden: int, control_lr: float, pixels: int
    ) -> None:
        super().__init__()
        self.decay, self.normalize, self.lr = decay, normalize, control_lr
        self.baseline = nn.Sequential(
            nn.Linear(pixels, control_hidden), nn.Tanh(), nn.Linear(control_hidden, 1)
        )
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))

    def own_optimizer(self) -> Optimizer:
        return Adam(self.parameters(), self.lr)

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z = target.q.sample(noise).detach()
        log_weights = target.of_samples(z)
        residual = log_weights.detach() - self.mean - self.baseline(target.inputs.detach()).squeeze(-1)
        scale = self.variance.sqrt().clamp(min=1) if self.normalize else 1
        signal = target.reduction.share(residual.detach() / scale)
        gradient = (signal * score(target.q, z)).sum(0)
        control = residual.square().mean(0)
        self._update(log_weights.detach())
        return from_samples(target, log_weights, gradient, control=control)

    def _update(self, log_weights: Tensor) -> None:
        """After use, so that a batch is not in its own baseline."""
        mean, variance = log_weights.mean(), log_weights.var(correction=0)
        self.mean.mul_(self.decay).add_(mean * (1 - self.decay))
        self.variance.mul_(self.decay).add_(variance * (1 - self.decay))


class OVIS(Estimator):
    """For an importance-weighted bound: the control variate that is asymptotically optimal. `gamma` 0 is unbiased; 1 has
    less variance, and the bias of the wake phase's gradient.

    "Optimal Variance Control of the Score Function Gradient Estimator for Importance Weighted Bounds" (Liévin et al., 2020),
    arXiv:2008.01998.
    """

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z = target.q.sample(noise).detach()
        log_weights = target.log_weight(z, detached(target.q))
        fixed = log_weights.detach()
        log_others = others_logsumexp(fixed[None])[0] - fixed.logsumexp(0)  # log(1 − w_s)
        few = -log_others - fixed.softmax(0)
        many = math.log1p(-1 / len(fixed)) - log_others
        signal = (1 - self.gamma) * few + self.gamma * many
        return from_samples(target, log_weights, (signal * score(target.q, z)).sum(0))


class WakePhase(Estimator):
    """For objective=rws: the encoder descends KL(p(z|x) ‖ q(z|x)), whose gradient the importance weights estimate. It is
    biased for few samples, and has no gradient for one.

    "Reweighted Wake-Sleep" (Bornschein and Bengio, 2015), arXiv:1406.2751; "Revisiting Reweighted Wake-Sleep" (Le et al.,
    2019), arXiv:1805.10469.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z = target.q.sample(noise).detach()
        log_weights = target.log_weight(z, detached(target.q))
        weights = log_weights.detach().softmax(0)
        return from_samples(target, log_weights, (weights * score(target.q, z)).sum(0))
