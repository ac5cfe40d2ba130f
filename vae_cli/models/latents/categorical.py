"""z takes one of C values in each unit."""

import torch
from torch import Generator, Tensor

from vae_cli.models.categorical import OneHotCategorical, largest
from vae_cli.models.latents.contract import Latent, counted
from vae_cli.models.latents.walks import one_unit_at_a_time


class CategoricalLatent(Latent[OneHotCategorical]):
    """One of `categories` values for each of K units, prior uniform; the decoder takes one-hot vectors.

    "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., 2017), arXiv:1611.01144.
    """

    name = "categorical"
    resampling = "independent units with {whose} frequencies of values"
    walking = "each step changes one unit, the most certain first"
    traversing = "each row sets one unit to each of its values"

    def __init__(self, code_size: int, categories: int) -> None:
        self.code_size, self.values_per_unit = code_size, categories
        self.encoder_outputs = self.decoder_inputs = code_size * categories
        self._categories = categories

    @property
    def in_words(self) -> str:
        return f"{counted(self.code_size, 'unit')} of {self._categories} values"

    def posterior(self, h: Tensor) -> OneHotCategorical:
        """h [..., C·K]: the logits, category-major."""
        return OneHotCategorical(self._by_unit(h))

    def prior(self, like: Tensor) -> OneHotCategorical:
        return OneHotCategorical(like.new_zeros(self._categories, self.code_size))

    def rate(self, q: OneHotCategorical) -> Tensor:
        return q.kl(self.prior(q.logits))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Standard Gumbel, −log(−log u).

        `torch.rand` can return 0, and its grid in float32 is 2⁻²⁴; half a grid step keeps the noise finite.
        """
        size = (*shape, self.decoder_inputs)
        uniform = torch.rand(size, generator=generator, dtype=like.dtype, device=like.device)
        return uniform.clamp_(min=2**-25).log_().neg_().log_().neg_()

    def resample(self, q: OneHotCategorical, n: int, generator: Generator) -> Tensor:
        frequencies = self._by_unit(q.mean.mean(0))  # [C, K]
        values = torch.multinomial(frequencies.mT, n, replacement=True, generator=generator)  # [K, n]
        return self._one_hot(values.mT, frequencies)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        """The unit whose value at the end is most certain changes first."""
        first, last = self._by_unit(start), self._by_unit(end)
        return one_unit_at_a_time(largest(first).flatten(), largest(last).flatten(), last.amax(0))

    def traversal(self, base: Tensor, units: list[int], means: Tensor) -> tuple[Tensor, list[str]]:
        codes = self._by_unit(base).repeat(len(units), self._categories, 1, 1)
        values = torch.eye(self._categories, dtype=base.dtype, device=base.device)
        for row, unit in enumerate(units):
            codes[row, :, :, unit] = values
        return codes.flatten(-2), [str(value) for value in range(self._categories)]

    def codes(self, index: Tensor, like: Tensor) -> Tensor:
        powers = [self._categories**unit for unit in range(self.code_size)]
        digits = index[:, None] // torch.tensor(powers, device=index.device) % self._categories
        return self._one_hot(digits, like)

    def probabilities(self, q: OneHotCategorical) -> Tensor:
        return q.logits.softmax(-2)

    def _by_unit(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, (self._categories, self.code_size))

    def _one_hot(self, values: Tensor, like: Tensor) -> Tensor:
        """values [n, K] from 0 to C − 1 → codes [n, C·K]."""
        category = torch.arange(self._categories, device=values.device)[:, None]
        return (values[:, None] == category).to(like.dtype).flatten(1)
