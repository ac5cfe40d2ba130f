"""How the signal-to-noise ratio of gradients of importance-weighted bounds changes with the number of samples S (T1.4).

The Gaussian toy of "Tighter Variational Bounds are Not Necessarily Better" (Rainforth et al., 2018), arXiv:1802.04537:
z ~ N(mean, 1), x | z ~ N(z, 1), q(z | x) = N(A x + b, ⅔) in 20 dimensions, parameters near their optimum. The slope of
log SNR over log S is −½ for the encoder with pathwise gradients and VIMCO, ½ with DReG and OVIS, and ½ for the decoder.

    python tests/benchmarks/signal_to_noise.py --draws 2000
"""

import argparse
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from vae_cli.models.distributions import Normal
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.pathwise import DoublyReparameterized, Pathwise
from vae_cli.objectives.estimators.score_function import OVIS, Reinforce
from vae_cli.objectives.reductions import LogMeanExp
from vae_cli.objectives.target import Target

PICTURE = Path(__file__).resolve().parents[2] / ".readme/signal_to_noise.png"
D, SAMPLES = 20, (3, 13, 56, 237, 1000)
ESTIMATORS: dict[str, tuple[Estimator, float]] = {  # with the expected slope of the encoder
    "IWAE, pathwise": (Pathwise(), -0.5),
    "VIMCO": (Reinforce("leave_one_out", 0.9), -0.5),
    "DReG": (DoublyReparameterized(), 0.5),
    "OVIS": (OVIS(0.0), 0.5),
}


def target(x: Tensor, mean: Tensor, b: Tensor) -> Target:
    """x, mean and b [B, D]"""
    log_std = torch.full_like(x, 0.5 * math.log(2 / 3))

    def log_weight(z: Tensor, q: Normal) -> Tensor:
        ones = torch.zeros_like(z)
        log_p = Normal(z, ones).log_prob(x) + Normal(mean, ones).log_prob(z)
        return (log_p - q.log_prob(z)).sum(-1)

    q = Normal(0.5 * x + b, log_std)
    return Target(q, log_weight, lambda z: log_weight(z, q), lambda: (z_none(), z_none()), LogMeanExp(), x)


def z_none() -> Tensor:
    raise TypeError("codes of a Gaussian cannot be enumerated")


def ratios(estimator: Estimator, samples: int, draws: int, images: int) -> tuple[float, float]:
    """Signal-to-noise ratio of the encoder's b and of the decoder's mean, of a batch of images; both are averaged over the
    20 dimensions before the ratio."""
    generator = torch.Generator().manual_seed(0)
    true_mean = torch.randn(D, generator=generator)
    x = true_mean + math.sqrt(2) * torch.randn(images, D, generator=generator)
    optimum = torch.stack([true_mean / 2, true_mean])
    parameters = optimum + 0.1 * torch.randn(2, D, generator=generator)  # near it
    sums = torch.zeros(2, 2, D)  # of gradients and of their squares
    at_once = max(1, 100_000 // (samples * images * D))
    repeats = -(-draws // at_once)
    for _ in range(repeats):
        leaves = parameters[:, None, None].expand(2, at_once, 1, D).clone().requires_grad_()
        b, mean = leaves.expand(2, at_once, images, D).flatten(1, 2)
        noise = torch.randn(samples, at_once * images, D, generator=generator)
        surrogate = estimator(target(x.repeat(at_once, 1), mean, b), noise, {}).surrogate.sum()
        found = torch.autograd.grad(surrogate, leaves)[0][:, :, 0]  # [2, at_once, D]
        sums[0] += found.sum(1)
        sums[1] += found.square().sum(1)
    n = repeats * at_once
    mean_gradient = sums[0] / n
    variance = (sums[1] / n - mean_gradient.square()) * n / (n - 1)
    square = mean_gradient.square() - variance / n  # unbiased for the squared signal
    encoder, decoder = (square.mean(-1) / variance.mean(-1)).clamp(min=0).sqrt().tolist()
    return encoder, decoder


def slope(values: list[float]) -> float:
    """Of log10 values over log10 S, by least squares."""
    x = torch.tensor(SAMPLES, dtype=torch.float64).log10()
    y = torch.tensor(values, dtype=torch.float64).log10()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--images", type=int, default=64)
    options = parser.parse_args()
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    start = time.perf_counter()
    for name, (estimator, expected) in ESTIMATORS.items():
        found = [ratios(estimator, samples, options.draws, options.images) for samples in SAMPLES]
        encoder, decoder = zip(*found, strict=True)
        print(
            f"{name:16} slope of the encoder {slope(list(encoder)):+.3f} (expected {expected:+.1f}), of the decoder "
            f"{slope(list(decoder)):+.3f} (expected +0.5)  {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        for ax, values in zip(axes, (encoder, decoder), strict=True):
            ax.plot(SAMPLES, values, "o-", label=f"{name}, slope {slope(list(values)):+.2f}")
    for ax, what in zip(axes, ("encoder", "decoder"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="samples S of the bound", title=f"Gradient of the {what}")
        ax.legend(fontsize=8)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("signal-to-noise ratio of one estimate")
    figure.savefig(PICTURE, dpi=110)
    print(f"n = {options.draws} draws, {options.images} images; {PICTURE}")


if __name__ == "__main__":
    main()
