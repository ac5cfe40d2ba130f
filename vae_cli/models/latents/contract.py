"""The questions that a latent answers."""

from typing import ClassVar, Protocol, TypeVar

from torch import Generator, Tensor
from torch.optim import Optimizer

Q = TypeVar("Q")  # a vae_cli.models.posterior.Posterior


class Latent(Protocol[Q]):
    """A code of K units, as V numbers for the decoder; Q is the type of its posterior. Subclasses inherit the
    defaults, which suit a continuous code. `like` gives new tensors their type and device."""

    name: ClassVar[str]  # its option: latent=NAME; for messages
    # what `resample` draws from, for titles; {whose} is filled in, with "its" for example
    resampling: ClassVar[str]
    walking: ClassVar[str]  # how `path` goes
    traversing: ClassVar[str]  # what `traversal` shows

    code_size: int  # K
    encoder_outputs: int  # P, the numbers that `posterior` takes
    decoder_inputs: int  # V; equal to K except for categories
    values_per_unit: int | None = None  # of a discrete code
    signed: bool = False  # the decoder takes −1 and 1 for 0 and 1

    @property
    def in_words(self) -> str:
        """The size of a code, for titles and messages: "2 units", "21 bits"."""
        return counted(self.code_size, "unit")

    def posterior(self, h: Tensor) -> Q:
        """h [..., P] → q(z|x)."""

    def prior(self, like: Tensor) -> Q | None:
        """p(z) of one code, or None: a plain auto-encoder has no prior, hence no likelihood."""

    def own_optimizer(self) -> Optimizer | None:
        """Trains the parameters of the prior. None: there are none."""
        return None

    def rate(self, q: Q) -> Tensor:
        """KL(q(z|x) ‖ p(z)) of each unit in nats, [..., K]; zeros where there is no prior."""

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """What `Posterior.sample` needs, [*shape, V]; always finite."""

    def resample(self, q: Q, n: int, generator: Generator) -> Tensor:
        """n codes [n, V] from the simplest distribution with the first moments of the mixture of q over its N images."""

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        """Codes [T, V] from one posterior mean [V] to another; T is n for continuous codes."""

    def traversal(self, base: Tensor, units: list[int], means: Tensor) -> tuple[Tensor, list[str]]:
        """For each of these units, `base` [V] with that unit set to each of T values: [units, T, V], and the values' names.
        `means` [N, V] are the posterior means of a data set."""

    def plane(self, side: int, like: Tensor) -> Tensor | None:
        """side × side codes [side², V] that cover a code of two units, row by row from the top, each cell equally
        probable under the prior. None: this code has no plane."""
        return None

    # For discrete codes only.

    @property
    def code_count(self) -> int | None:
        """The number of codes; None if they cannot be enumerated."""
        return None if self.values_per_unit is None else self.values_per_unit**self.code_size

    def codes(self, index: Tensor, like: Tensor) -> Tensor:
        """The codes [n, V] with these numbers [n], 0 to code_count − 1; unit 0 is the least significant digit."""
        raise TypeError(f"latent={self.name} has no enumerable codes")

    def probabilities(self, q: Q) -> Tensor:
        """The probability of each of the C values of each unit, [..., C, K]."""
        raise TypeError(f"latent={self.name} has no values to count")


def counted(n: int, thing: str) -> str:
    """ "1 unit", "2 units"."""
    return f"{n} {thing}{'s' * (n != 1)}"
