"""What an estimator estimates: E[R(l_1 … l_S)] of the log-weights of codes z_s ~ q, and its gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from vae_cli.models.posterior import Posterior, apply
from vae_cli.models.vae import VAE
from vae_cli.objectives.reductions import Reduction


class Target(NamedTuple):
    """The log-weights as functions of codes [S, B, V], once for each way in which a gradient may pass through them."""

    q: Any  # the posterior over codes [B, V], of the kind that the estimator needs
    # (codes, q) → [S, B]: gradients reach the codes, the decoder, the prior, and this q where it is in the log-weights
    log_weight: Callable[[Tensor, Any], Tensor]
    frozen: Callable[[Tensor], Tensor]  # codes → the same numbers; gradients reach the codes alone
    all_codes: Callable[[], tuple[Tensor, Tensor]]  # every code [C, V], and their log-weights [C, B]
    reduction: Reduction
    inputs: Tensor  # [B, D], what the encoder sees; for learned baselines

    def of_samples(self, z: Tensor) -> Tensor:
        """The log-weights [S, B] of samples that carry no gradient: log q passes one where the reduction keeps it."""
        return self.log_weight(z, self.q if self.reduction.keeps_log_q else detached(self.q))


def detached(q: Any) -> Any:
    """The posterior without its graph."""
    return apply(Tensor.detach, q)


def target_of(
    model: VAE, inputs: Tensor, x: Tensor, q: Posterior, reduction: Reduction, weight: Any = 1.0
) -> Target:
    """l = log p(x|z) + weight · (log p(z) − log q(z|x)); a weight of None leaves the second part to a closed form."""

    def likelihood(z: Tensor) -> Tensor:
        return model.decode(z).log_prob(x).sum(-1)

    def log_ratio(z: Tensor, q: Posterior, prior: Posterior | None) -> Tensor:
        assert prior is not None
        return weight * (prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1))

    def log_weight(z: Tensor, q: Posterior) -> Tensor:
        return likelihood(z) if weight is None else likelihood(z) + log_ratio(z, q, model.prior())

    def frozen(z: Tensor) -> Tensor:
        parameters = {name: p.detach() for name, p in model.decoder.named_parameters()}
        value = model.likelihood(functional_call(model.decoder, parameters, (z,))).log_prob(x).sum(-1)
        prior = model.prior()
        return value if weight is None else value + log_ratio(z, detached(q), prior and detached(prior))

    def all_codes() -> tuple[Tensor, Tensor]:
        count = model.latent.code_count
        assert count is not None
        codes = model.latent.codes(torch.arange(count, device=x.device), x)
        value = model.decode(codes).pairwise_log_prob(x).mT  # [C, B]
        return codes, value if weight is None else value + log_ratio(
            codes[:, None], detached(q), model.prior()
        )

    return Target(q, log_weight, frozen, all_codes, reduction, inputs)
