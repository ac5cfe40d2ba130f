"""The published toys of binary gradients: variances, convergence, and the picture .readme/toys.png.

T0.1  (b − t)², one bit: the variance of one estimate, against its closed form
T0.2  mean of (b_i − t)² over 200 bits, t = 0.499, ascended by RMSprop(0.01, 0.9), two samples: variance and value along the way.
      "Double Control Variates for Gradient Estimation in Discrete Latent Variable Models" (Titsias and Shi, 2022)
T0.3  (b − t)², one bit, descended by Adam(0.01) from probability ½: the median of p over 200 seeds after so many steps.
      "REBAR" (Tucker et al., 2017), "Backpropagation through the Void" (Grathwohl et al., 2018)

    PYTHONPATH=tests python tests/benchmarks/toys.py
"""

import math
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from objectives.toys import WithoutBaseline, gradients, minimizing, variances
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.objectives.estimators.antithetic import ARM, ARMS, DisARM
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.control_variates import Rebar, Relax
from vae_cli.objectives.estimators.exact import Exact
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.straight_through import ReinMax, StraightThrough
from vae_cli.objectives.estimators.taylor import DoubleCV
from vae_cli.objectives.reductions import Mean
from vae_cli.objectives.target import Target

PICTURE = Path(__file__).resolve().parents[2] / ".readme/toys.png"
SEEDS, N = 200, 200_000
BITS, SMALL_T = 200, 0.499


class Contestant(NamedTuple):
    make: Callable[[], Estimator]
    samples: int
    color: str


def relax() -> Estimator:
    torch.manual_seed(0)
    return Relax(False, 0.5, 1.0, 0.01, 10, 1, 1)


ONE_BIT = {
    "exact": Contestant(Exact, 1, "black"),
    "DisARM": Contestant(DisARM, 2, "C0"),
    "ARM": Contestant(ARM, 2, "C9"),
    "leave-one-out": Contestant(lambda: Reinforce("leave_one_out", 0.9), 2, "C2"),
    "REINFORCE": Contestant(WithoutBaseline, 1, "C3"),
    "REBAR": Contestant(lambda: Rebar(False, 0.5, 1.0, 0.01), 3, "C4"),
    "RELAX": Contestant(relax, 3, "C6"),
    "ReinMax": Contestant(lambda: ReinMax(1.0), 1, "C8"),
    "straight-through": Contestant(StraightThrough, 1, "C1"),
    "Concrete (T = 0.5)": Contestant(lambda: Concrete(0.5), 1, "C5"),
}
MANY_BITS = {
    "leave-one-out": ONE_BIT["leave-one-out"],
    "DisARM": ONE_BIT["DisARM"],
    "ARMS": Contestant(ARMS, 2, "C7"),
    "Double CV": Contestant(lambda: DoubleCV(0.0, 0.0), 2, "C5"),
}
CLOSED = {"REINFORCE": "reinforce", "leave-one-out": "leave_one_out", "DisARM": "disarm", "ARM": "arm"}
AT = {0.45: (500, 1000, 3000), 0.499: (1000, 3000)}


def one_bit_variances(t: float) -> dict[str, list[tuple[float, float, float]]]:
    """name → (p, measured, closed form)."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CLOSED}
    for p in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        for name, key in CLOSED.items():
            measured = gradients(ONE_BIT[name].make(), ONE_BIT[name].samples, math.log(p / (1 - p)), t, N)
            found[name].append((p, float(measured.var()), variances(p, t)[key]))
    return found


def convergence(t: float) -> dict[str, Tensor]:
    """name → p after each step [steps, seeds]."""
    return {
        name: torch.stack(list(minimizing(each.make(), each.samples, t, max(AT[t]), SEEDS)))
        for name, each in ONE_BIT.items()
    }


def many_bits(logits: Tensor) -> Target:
    """The mean of (b_i − t)² over the bits; logits [B, K]."""

    def f(z: Tensor) -> Tensor:
        return (z - SMALL_T).square().mean(-1)

    return Target(Bernoulli(logits), lambda z, q: f(z), f, lambda: (logits, f(logits)), Mean(), logits)


def ascent(each: Contestant, steps: int = 2000) -> Iterator[tuple[int, float, float]]:
    """(step, variance, mean of f); the variance is the mean over units, of 2,000 draws."""
    estimator, generator = each.make(), torch.Generator().manual_seed(0)
    logits = torch.zeros(1, BITS, requires_grad=True)
    groups = [{"params": [logits], "lr": 0.01}, {"params": list(estimator.parameters()), "lr": 5e-4}]
    optimizer = torch.optim.RMSprop([group for group in groups if group["params"]], alpha=0.9)

    def gradient(rows: int) -> tuple[Tensor, Any]:
        h = logits.detach().expand(rows, -1).clone().requires_grad_()
        noise = BernoulliLatent(BITS).noise((estimator.rows(each.samples), rows), generator, logits)
        estimate = estimator(many_bits(h), noise, {})
        return torch.autograd.grad(estimate.surrogate.sum(), h, retain_graph=True)[0], estimate.control

    for step in count():
        if step % 100 == 0 or step == steps:
            p = logits.detach().sigmoid()
            value = (p * (1 - SMALL_T) ** 2 + (1 - p) * SMALL_T**2).mean()
            yield step, float(gradient(2000)[0].var(0).mean()), float(value)
        if step == steps:
            return
        optimizer.zero_grad()
        own, control = gradient(1)
        if control is not None:
            control.sum().backward()
        logits.grad = -own
        optimizer.step()


def draw(variance: Any, paths: dict[str, Tensor], ascents: dict[str, list[tuple[int, float, float]]]) -> None:
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    grid = torch.linspace(0.02, 0.98, 481).tolist()
    for name, rows in variance.items():
        p, measured, _ = zip(*rows, strict=True)
        closed = [variances(each, 0.45)[CLOSED[name]] for each in grid]
        left.plot(grid, closed, color=ONE_BIT[name].color, label=name)
        left.plot(p, measured, "o", color=ONE_BIT[name].color, markersize=4)
    left.set(
        yscale="log", ylim=(1e-6, 0.05), xlabel="probability p of b = 1", ylabel="variance of one estimate"
    )
    left.set_title(f"(b − 0.45)²: closed forms (lines),\nmeasured with n = {N:,} (dots)", fontsize=10)
    for name, p in paths.items():
        low, median, high = p.quantile(torch.tensor([0.1, 0.5, 0.9]), dim=1)
        steps = torch.arange(1, len(p) + 1)
        middle.plot(steps, median, color=ONE_BIT[name].color, label=name)
        middle.fill_between(steps, low, high, color=ONE_BIT[name].color, alpha=0.12, linewidth=0)
    middle.set(
        yscale="log",
        ylim=(1e-4, 0.7),
        xlabel="step of Adam (0.01)",
        ylabel="probability p of b = 1; the minimum is at 0",
    )
    middle.set_title(f"Minimizing (b − 0.45)²: median and 10 to 90 %\nof {SEEDS} seeds", fontsize=10)
    for name, found in ascents.items():
        steps, of_step, _ = zip(*found, strict=True)
        right.plot(steps, of_step, color=MANY_BITS[name].color, label=f"{name} (2 samples)")
    right.set(yscale="log", xlabel="step of RMSprop (0.01)", ylabel="variance of a unit's gradient")
    right.set_title("Maximizing the mean of (b − 0.499)² over 200 bits,\nseed 0", fontsize=10)
    for axes in (left, middle, right):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    start = time.perf_counter()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    variance = one_bit_variances(0.45)
    worst = max(abs(m / c - 1) for rows in variance.values() for _, m, c in rows if c > 1e-12)
    print(f"T0.1: largest relative error of {4 * 11} variances, n = {N}: {worst:.4f}")
    paths = {t: convergence(t) for t in AT}
    for t, found in paths.items():
        print(f"T0.3: t = {t}, median of p (10 %, 90 %) over {SEEDS} seeds after {AT[t]} steps")
        for name, p in found.items():
            cells = [p[step - 1].quantile(torch.tensor([0.5, 0.1, 0.9])).tolist() for step in AT[t]]
            print(f"  {name:20}", *(f"{m:.3f} ({low:.3f}, {high:.3f})" for m, low, high in cells))
    ascents = {name: list(ascent(each)) for name, each in MANY_BITS.items()}
    print("T0.2: variance at steps 0, 900, 1400, 2000; mean of f at 1400 and 2000")
    for name, rows in ascents.items():
        at = {step: (v, f) for step, v, f in rows}
        variances_at = [f"{at[step][0]:.3e}" for step in (0, 900, 1400, 2000)]
        print(f"  {name:20}", *variances_at, f"{at[1400][1]:.5f} {at[2000][1]:.5f}")
    draw(variance, paths[0.45], ascents)
    print(f"{PICTURE}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
