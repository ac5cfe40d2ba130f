"""The evidence lower bound as named, per-example terms, in nats.

    log p(x) ≥ elbo = −(rate + distortion),   rate = KL(q(z|x) ‖ p(z)),   distortion = −E_q[log p(x|z)]

Pixels and units are summed, never averaged, so that beta weighs nats and means the same at every code size,
image size and batch size.
"""

from torch import Tensor
from torch.optim import Optimizer

from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Schedule, Terms
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.reductions import Mean, Reduction
from vae_cli.objectives.schedules import Beta
from vae_cli.objectives.target import target_of


class Bound(Objective):
    """A bound whose gradient an estimator estimates."""

    def __init__(self, estimator: Estimator, samples: int, reduction: Reduction) -> None:
        super().__init__()
        self.estimator = estimator
        self.samples = samples
        self.reduction = reduction

    @property
    def rows(self) -> int:
        return self.estimator.rows(self.samples)

    def own_optimizer(self) -> Optimizer | None:
        return self.estimator.own_optimizer()

    def own_metrics(self) -> dict[str, Tensor]:
        return self.estimator.own_metrics()

    def schedule(self, step: int) -> dict[str, float]:
        return self.estimator.schedule(step)


class ELBO(Bound):
    """loss = surrogate distortion + beta · Σ_k max(free_bits, mean over the batch of rate_k).

    With `kl` "sampled", the estimator gets log p(x|z) + beta · (log p(z) − log q(z|x)) and the rate's closed form is not in
    the loss: the expectation is the same, the variance another. Near the true posterior the sum is nearly constant.

    Reported are `rate` and `distortion` of hard samples at beta 1, which make a bound; the loss is what was minimized.
    `free_bits` is in nats per unit: the loss does not push a unit's average rate below it.
    "Improving Variational Inference with Inverse Autoregressive Flow" (Kingma et al., 2016), arXiv:1606.04934.
    """

    terms = ("rate", "distortion")
    monitor = "elbo"

    def __init__(
        self,
        estimator: Estimator,
        beta: float = 1.0,
        samples: int = 1,
        kl: str = "analytic",
        warmup_steps: int = 0,
        initial_beta: float = 0.0,
        cycle_steps: int = 0,
        free_bits: float = 0.0,
    ) -> None:
        super().__init__(estimator, samples, Mean())
        self.sampled = kl == "sampled"
        self.free_bits = free_bits
        self.beta = Beta(beta, warmup_steps, cycle_steps, initial_beta)

    def schedule(self, step: int) -> dict[str, float]:
        return {"beta": self.beta(step), **super().schedule(step)}

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        q, beta = model.encode(inputs), schedule["beta"]
        rates = model.latent.rate(q)
        rate = rates.sum(-1)
        target = target_of(model, inputs, x, q, self.reduction, beta if self.sampled else None)
        estimate = self.estimator(target, noise, schedule)
        if self.sampled:
            distortion = -(estimate.value + beta * rate.detach())
            return Terms(-estimate.surrogate, _terms(rate, distortion), estimate.control)
        penalized = rates.mean(0).clamp(min=self.free_bits).sum() if self.free_bits else rate
        loss = beta * penalized - estimate.surrogate
        return Terms(loss, _terms(rate, -estimate.value), estimate.control)


def _terms(rate: Tensor, distortion: Tensor) -> dict[str, Tensor]:
    return {"rate": rate.detach(), "distortion": distortion}
