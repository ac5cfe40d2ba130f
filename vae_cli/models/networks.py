"""Networks: vectors in, vectors out. Convolutions unflatten on entry and flatten on exit.

A network description (`MLP`, `Conv`) builds an encoder D → P and its mirrored decoder K → D'.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[float], nn.Module]] = {  # of the slope below zero, which one of them has
    "relu": lambda _: nn.ReLU(),
    "leaky_relu": nn.LeakyReLU,
    "elu": lambda _: nn.ELU(),
    "gelu": lambda _: nn.GELU(),
    "silu": lambda _: nn.SiLU(),
    "softplus": lambda _: nn.Softplus(),
    "tanh": lambda _: nn.Tanh(),
}

INITIALIZATIONS: dict[str, Callable[[Tensor], object]] = {
    "default": lambda weight: None,  # torch's own, uniform in ± 1/√inputs
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}

Shape = tuple[int, int, int]  # channels, height, width


class Images(nn.Sequential):
    """Layers over images [N, C, H, W] that take and return vectors with any leading axes."""

    def forward(self, vectors: Tensor) -> Tensor:
        return super().forward(vectors.flatten(0, -2)).unflatten(0, vectors.shape[:-1])


class Signed(nn.Module):
    """2x − 1: from −1 to 1 what was from 0 to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x - 1


class Centered(nn.Module):
    """x − mean, [..., D]."""

    mean: Tensor

    def __init__(self, size: int) -> None:
        """The mean is 0 until it is set, from data or a checkpoint."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.mean


# what `network.inputs` puts in front of an encoder of D pixels
INPUTS: dict[str, Callable[[int], nn.Module]] = {"centered": Centered, "signed": lambda _: Signed()}


class MLP(NamedTuple):
    """Fully connected: D – hidden… – P and K – …hidden – D'. With hidden = [] both are linear."""

    hidden: Sequence[int]
    activation: str
    initialization: str
    slope: float = 0.01

    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        return self._stack([math.prod(shape), *self.hidden, outputs])

    def decoder(self, inputs: int, shape: Shape, outputs_per_pixel: int) -> nn.Sequential:
        return self._stack([inputs, *reversed(self.hidden), math.prod(shape) * outputs_per_pixel])

    def _stack(self, widths: list[int]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[self.activation](self.slope)]
        return initialize(nn.Sequential(*layers[:-1]), self.initialization)


class Conv(NamedTuple):
    """Strided 4×4 convolutions, one per entry of `channels`, each halving the image, around one hidden layer."""

    channels: Sequence[int]
    hidden: int
    activation: str
    initialization: str
    slope: float = 0.01

    def encoder(self, shape: Shape, outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = [nn.Unflatten(-1, shape)]
        for inputs, channels in zip([shape[0], *self.channels[:-1]], self.channels, strict=True):
            layers += [
                nn.Conv2d(inputs, channels, 4, stride=2, padding=1),
                ACTIVATIONS[self.activation](self.slope),
            ]
        layers += [nn.Flatten(-3), nn.Linear(math.prod(self._inner(shape)), self.hidden)]
        layers += [ACTIVATIONS[self.activation](self.slope), nn.Linear(self.hidden, outputs)]
        return initialize(Images(*layers), self.initialization)

    def decoder(self, inputs: int, shape: Shape, outputs_per_pixel: int) -> nn.Sequential:
        inner = self._inner(shape)
        layers: list[nn.Module] = [nn.Linear(inputs, self.hidden), ACTIVATIONS[self.activation](self.slope)]
        layers += [nn.Linear(self.hidden, math.prod(inner)), nn.Unflatten(-1, inner)]
        channels = [*reversed(self.channels), shape[0] * outputs_per_pixel]
        sides = self._sides(shape)[::-1]  # from the inner image out
        for i, (height, width) in enumerate(sides[1:]):
            odd = (height - 2 * sides[i][0], width - 2 * sides[i][1])  # what halving rounded away: 0 or 1
            layers += [
                ACTIVATIONS[self.activation](self.slope),
                nn.ConvTranspose2d(channels[i], channels[i + 1], 4, stride=2, padding=1, output_padding=odd),
            ]
        return initialize(Images(*layers, nn.Flatten(-3)), self.initialization)

    def _sides(self, shape: Shape) -> list[tuple[int, int]]:
        """(height, width) before the first convolution and after each."""
        sides = [shape[1:]]
        for _ in self.channels:
            sides.append((sides[-1][0] // 2, sides[-1][1] // 2))
        if min(sides[-1]) < 1:
            raise ValueError(
                f"network.channels={list(self.channels)}: {len(self.channels)} halvings are too many for "
                f"images of {shape[1]}×{shape[2]}; allowed are {int(math.log2(min(shape[1:])))} or fewer "
                "(network=mlp takes any vector)"
            )
        return sides

    def _inner(self, shape: Shape) -> Shape:
        return (self.channels[-1], *self._sides(shape)[-1])


Network = MLP | Conv


def initialize(network: nn.Sequential, initialization: str) -> nn.Sequential:
    """Fill every weight matrix or kernel; biases start at 0 unless the initialization is torch's own."""
    for module in network:
        if initialization != "default" and isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            INITIALIZATIONS[initialization](module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return network


def set_input_mean(encoder: nn.Module, mean: Tensor) -> None:
    """Center the inputs of an encoder around `mean` [D], if it is one that centers them."""
    for module in encoder.children():
        if isinstance(module, Centered):
            module.mean.copy_(mean)


def set_output_bias(decoder: nn.Module, bias: Tensor) -> None:
    """Make an untrained decoder return about `bias` [D']. A convolution has one bias for each channel: their mean."""
    last = next(
        m for m in reversed(list(decoder.children())) if isinstance(m, nn.Linear | nn.ConvTranspose2d)
    )
    assert last.bias is not None
    last.bias.data.copy_(bias.reshape(len(last.bias), -1).mean(-1))
