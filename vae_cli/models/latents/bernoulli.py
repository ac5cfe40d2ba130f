"""z ∈ {0, 1}."""

import torch
from torch import Generator, Tensor, nn
from torch.optim import SGD, Optimizer

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.contract import Latent, counted
from vae_cli.models.latents.walks import one_unit_at_a_time, with_units_set


class BernoulliLatent(nn.Module, Latent[Bernoulli]):
    """z ~ Ber(sigmoid(logits)) for each of K units.

    The prior is "uniform", Ber(½), or "learned": a logit for each unit, which starts at 0 and descends the loss by plain
    SGD with the rate `prior_lr`, as in "DisARM: An Antithetic Gradient Estimator for Binary Latent Variables" (Dong et al.,
    2020), arXiv:2006.10680.
    """

    name = "bernoulli"
    resampling = "independent bits with {whose} frequencies"
    walking = "each step flips one bit, the most certain first"
    traversing = "each row turns one bit off and on"
    values_per_unit = 2

    def __init__(
        self, code_size: int, prior: str = "uniform", prior_lr: float = 0.01, signed: bool = False
    ) -> None:
        super().__init__()
        self.code_size = self.encoder_outputs = self.decoder_inputs = code_size
        self.signed, self.prior_lr = signed, prior_lr
        self.prior_logits = nn.Parameter(torch.zeros(code_size)) if prior == "learned" else None

    @property
    def in_words(self) -> str:
        return counted(self.code_size, "bit")

    def posterior(self, h: Tensor) -> Bernoulli:
        """h [..., K]: the logits."""
        return Bernoulli(h)

    def prior(self, like: Tensor) -> Bernoulli:
        if self.prior_logits is None:
            return Bernoulli(like.new_zeros(self.code_size))
        return Bernoulli(self.prior_logits.to(like))

    def own_optimizer(self) -> Optimizer | None:
        return None if self.prior_logits is None else SGD([self.prior_logits], self.prior_lr)

    def rate(self, q: Bernoulli) -> Tensor:
        return q.kl(self.prior(q.logits))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Standard logistic, log u − log(1 − u).

        `torch.rand` can return 0, and its grid in float32 is 2⁻²⁴; half a grid step keeps the noise finite.
        """
        size = (*shape, self.code_size)
        uniform = torch.rand(size, generator=generator, dtype=like.dtype, device=like.device)
        return uniform.clamp_(min=2**-25).logit_()

    def resample(self, q: Bernoulli, n: int, generator: Generator) -> Tensor:
        rates = q.mean.mean(0)
        uniform = torch.rand((n, self.code_size), generator=generator, dtype=rates.dtype, device=rates.device)
        return (uniform < rates).to(rates.dtype)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        """The bit whose value at the end is most certain flips first."""
        bits, goal = (start > 0.5).to(start.dtype), (end > 0.5).to(end.dtype)
        return one_unit_at_a_time(bits, goal, (end - 0.5).abs())

    def traversal(self, base: Tensor, units: list[int], means: Tensor) -> tuple[Tensor, list[str]]:
        values = means.new_tensor([0.0, 1.0]).expand(self.code_size, -1)
        return with_units_set(base, units, values), ["off", "on"]

    def codes(self, index: Tensor, like: Tensor) -> Tensor:
        return (index[:, None] >> torch.arange(self.code_size, device=index.device) & 1).to(like.dtype)

    def probabilities(self, q: Bernoulli) -> Tensor:
        return torch.stack([(-q.logits).sigmoid(), q.mean], -2)
