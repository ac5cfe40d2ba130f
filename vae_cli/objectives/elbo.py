"""The evidence lower bound as named, per-example terms, in nats.

    log p(x) ≥ elbo = −(rate + distortion),   rate = KL(q(z|x) ‖ p(z)),   distortion = −E_q[log p(x|z)]

Pixels and units are summed, never averaged, so that beta weighs nats and means the same at every code size,
image size and batch size.
"""

from torch import Tensor

from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Schedule, Terms
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.schedules import Beta


class ELBO(Objective):
    """loss = surrogate distortion + beta · Σ_k max(free_bits, mean over the batch of rate_k).

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
        warmup_steps: int = 0,
        initial_beta: float = 0.0,
        cycle_steps: int = 0,
        free_bits: float = 0.0,
    ) -> None:
        super().__init__()
        self.estimator = estimator
        self.samples = samples
        self.free_bits = free_bits
        self.beta = Beta(beta, warmup_steps, cycle_steps, initial_beta)

    def schedule(self, step: int) -> dict[str, float]:
        return {"beta": self.beta(step), **self.estimator.schedule(step)}

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        q = model.encode(inputs)
        rates = model.latent.rate(q)
        rate = rates.sum(-1)
        estimate = self.estimator(q, lambda z: model.decode(z).log_prob(x).sum(-1), noise, schedule)
        penalized = rates.mean(0).clamp(min=self.free_bits).sum() if self.free_bits else rate
        loss = schedule["beta"] * penalized - estimate.surrogate
        return Terms(loss, {"rate": rate.detach(), "distortion": -estimate.value})
