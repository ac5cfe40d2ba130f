"""Bounds on log p(x) of several samples for each image, in nats.

log p(x) ≥ E[log 1/S Σ_s p(x, z_s) / q(z_s|x)] ≥ elbo,   z_s ~ q(z|x)
"""

import torch
from torch import Tensor

from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Schedule, Terms
from vae_cli.objectives.elbo import Bound
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.reductions import LogMeanExp, Mixture, WakeSleep
from vae_cli.objectives.target import target_of


class ImportanceWeighted(Bound):
    """loss = −bound. `groups` (MIWAE) averages the bounds of equal groups of samples, `mix` (CIWAE) weighs the ELBO of the
    same samples against it.

    Reported are the bound, and rate and distortion of the same hard samples. `monitor` is the bound: a model that is trained
    with it may have a falling ELBO while the bound rises.
    "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519; "Tighter Variational Bounds are Not
    Necessarily Better" (Rainforth et al., 2018), arXiv:1802.04537.
    """

    terms = ("rate", "distortion", "bound")
    monitor = "bound"

    def __init__(self, estimator: Estimator, samples: int, groups: int = 1, mix: float = 0.0) -> None:
        bound = LogMeanExp(groups)
        super().__init__(estimator, samples, Mixture(mix, bound) if mix else bound)

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        q = model.encode(inputs)
        rate = model.latent.rate(q).sum(-1).detach()
        estimate = self.estimator(target_of(model, inputs, x, q, self.reduction), noise, schedule)
        distortion = -(estimate.log_weights.mean(0) + rate)
        reported = {"rate": rate, "distortion": distortion, "bound": estimate.value}
        return Terms(-estimate.surrogate, reported, estimate.control)

    @torch.no_grad()
    def bound(self, model: VAE, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """The trained bound, and the effective sample size of the importance weights, from 1 to `samples`."""
        q = model.encode(x)
        log_weights = target_of(model, x, x, q, self.reduction).of_samples(q.sample(noise))
        size = 1 / log_weights.softmax(0).square().sum(0)
        return {"bound": self.reduction(log_weights), "effective_sample_size": size}


class ReweightedWakeSleep(ImportanceWeighted):
    """The decoder ascends the importance-weighted bound; the encoder descends KL(p(z|x) ‖ q(z|x)), the wake phase, for which
    the same weights stand in. The bound is what is reported and monitored.

    "Reweighted Wake-Sleep" (Bornschein and Bengio, 2015), arXiv:1406.2751; "Revisiting Reweighted Wake-Sleep" (Le et al.,
    2019), arXiv:1805.10469.
    """

    def __init__(self, estimator: Estimator, samples: int) -> None:
        Bound.__init__(self, estimator, samples, WakeSleep())
