"""Plots the time of a training step against data size, batch, code size, hidden width, samples L and pack size.

One value at a time differs from one model (784-400-20 Gaussian, Bernoulli likelihood, batch 128, Adam, 28×28 rectangles).
Packed runs have batch 16 and 64 hidden units, and share one data set. --runtime gives the value of `runtime=`. Each round
times a block of steps of every point, so that a drift of the machine affects all of them equally.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from our_steps import endless_steps, new_states
from step import machine

from vae_cli.build import build_runtime
from vae_cli.data.dataset import Dataset

BASE = ["data=rectangles", "data.height=28", "data.width=28", "data.train_size=60000", "data.validation_size=1000",
        "data.test_size=1000", "epochs=100"]  # fmt: skip
SMALL = ["batch_size=16", "network.hidden=[64]", "latent=bernoulli"]
PANELS: dict[str, tuple[str, list[int], Callable[[int], list[str]]]] = {
    "data size": ("training images", [1_000, 4_000, 16_000, 60_000], lambda n: [f"data.train_size={n}"]),
    "batch size": ("images a batch", [16, 64, 128, 512, 2048], lambda n: [f"batch_size={n}"]),
    "code size": ("units of the code", [2, 10, 20, 50, 200], lambda n: [f"latent.code_size={n}"]),
    "hidden width": ("hidden units", [50, 100, 400, 1000, 2000], lambda n: [f"network.hidden=[{n}]"]),
    "samples": ("samples L of the code", [1, 2, 5, 20], lambda n: [f"objective.samples={n}"]),
    "pack size": ("packed runs", [1, 2, 4, 8, 16], lambda n: SMALL),
}
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # ms
Block = Callable[[int], float]  # number of steps → seconds of one


def block_of(overrides: list[str], runs: int, loaded: dict[str, Dataset]) -> Block:
    """Steps of one run, or of so many packed runs, as vae-train makes them."""
    states = new_states([*BASE, *overrides], runs, loaded)
    experiment = states[0].experiment
    steps = endless_steps(states, build_runtime(experiment.config))

    def block(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            next(steps)
        if experiment.device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / count

    block(3)
    return block


def measure(
    rounds: int, steps: int, fixed: list[str], panels: list[str]
) -> dict[str, dict[int, list[float]]]:
    """Panel → value → seconds of a step in each round."""
    loaded: dict[str, Dataset] = {}
    blocks = {
        (panel, value): block_of(
            [*fixed, *PANELS[panel][2](value)], value if panel == "pack size" else 1, loaded
        )
        for panel in panels
        for value in PANELS[panel][1]
    }
    times: dict[str, dict[int, list[float]]] = {panel: {v: [] for v in PANELS[panel][1]} for panel in panels}
    for number in range(rounds + 1):
        for (panel, value), block in blocks.items():
            seconds = block(steps)
            if number:  # the first is a warm-up
                times[panel][value].append(seconds)
    return times


def quartiles(values: list[float]) -> tuple[float, float, float]:
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return low, median(values), high


def draw(times: dict[str, dict[int, list[float]]], out: Path, title: str) -> None:
    import matplotlib.pyplot as plt

    columns = min(3, len(times))
    rows = -(-len(times) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 6.8), squeeze=False)
    for axis, (panel, points) in zip(axes.flat, times.items(), strict=False):
        draw_panel(axis, panel, points)
    figure.suptitle(title)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)


def draw_panel(axis: Any, panel: str, points: dict[int, list[float]]) -> None:
    values, each = list(points), zip(*map(quartiles, points.values()), strict=True)
    low, middle, high = (torch.tensor(numbers) * 1000 for numbers in each)
    axis.errorbar(values, middle, [middle - low, high - middle], marker="o", capsize=3, label="measured")
    packed = panel == "pack size"
    proportional = middle[0] * torch.tensor(values) / values[0]
    label = "as many separate runs" if packed else "proportional"
    axis.plot(values, proportional, "--", lw=1, color="grey", label=label)
    title = panel + (" (batch 16, 64 hidden units)" if packed else "")
    axis.set(xscale="log", yscale="log", xlabel=PANELS[panel][0], ylabel="ms a step", title=title)
    axis.set_xticks(values, [f"{value:,}" for value in values])
    axis.minorticks_off()
    bottom, top = middle.min() / 2.5, 2.5 * middle.max()
    ticks = [tick for tick in TICKS if bottom < tick < top]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ylim(bottom, top)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="ms of a training step against what it depends on")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20, help="of each point in a round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--panels", nargs="*", choices=PANELS, default=list(PANELS))
    parser.add_argument("--out", type=Path, default=Path("outputs/scaling.png"))
    given = parser.parse_args()
    print(machine())
    times = measure(
        given.rounds, given.steps, [f"device={given.device}", f"runtime={given.runtime}"], given.panels
    )
    print(
        f"n = {given.rounds} rounds × {given.steps} steps after one of warm-up, runtime={given.runtime}; seeds 0 …\n"
    )
    for panel, points in times.items():
        for value, seconds in points.items():
            low, middle, high = (1000 * s for s in quartiles(seconds))
            print(f"{panel:14}{value:>8,}{middle:>9.3f} [{low:.3f}, {high:.3f}] ms")
    cuda = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
          f"{f', on the device {cuda:.2f} GB' if cuda else ''}, all points in memory at once")  # fmt: skip
    where = (
        torch.cuda.get_device_name()
        if given.device.startswith("cuda")
        else f"{torch.get_num_threads()} CPU threads"
    )
    draw(
        times,
        given.out,
        f"One training step of 784-400-20, batch 128, on {where} (median and quartiles of {given.rounds})",
    )
    given.out.with_suffix(".json").write_text(json.dumps(times))
    print(given.out)


if __name__ == "__main__":
    main()
