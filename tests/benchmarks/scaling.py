"""What a training step costs against data size, batch, code size, hidden width, samples L and pack size, as a plot.

Around one model (784-400-20 Gaussian, Bernoulli likelihood, batch 128, Adam, 28×28 rectangles) one thing is varied at a
time; a pack holds members of batch 16 and 64 hidden units, on one data set. `runtime=` is what --runtime says. In rounds, each
timing a block of steps of every point in turn, so that a drift of the machine meets all alike.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

import torch
from hydra import compose, initialize_config_dir
from step import machine

from vae_cli.build import build
from vae_cli.config.compose import accept, config_folder
from vae_cli.data.batches import epoch_order
from vae_cli.data.dataset import Dataset
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.state import State
from vae_cli.engine.trainable import SingleRun

BASE = ["data=rectangles", "data.height=28", "data.width=28", "data.train_size=60000", "data.validation_size=1000",
        "data.test_size=1000", "epochs=100"]  # fmt: skip
SMALL = ["batch_size=16", "network.hidden=[64]", "latent=bernoulli"]
PANELS: dict[str, tuple[str, list[int], Callable[[int], list[str]]]] = {
    "data size": ("training images", [1_000, 4_000, 16_000, 60_000], lambda n: [f"data.train_size={n}"]),
    "batch size": ("images a batch", [16, 64, 128, 512, 2048], lambda n: [f"batch_size={n}"]),
    "code size": ("units of the code", [2, 10, 20, 50, 200], lambda n: [f"latent.code_size={n}"]),
    "hidden width": ("hidden units", [50, 100, 400, 1000, 2000], lambda n: [f"network.hidden=[{n}]"]),
    "samples": ("samples L of the code", [1, 2, 5, 20], lambda n: [f"objective.samples={n}"]),
    "pack size": ("members of a pack", [1, 2, 4, 8, 16], lambda n: SMALL),
}
Block = Callable[[int], float]  # a number of steps → seconds of one


def point(overrides: list[str], members: int, loaded: dict[str, Dataset]) -> Block:
    """Steps of a run, or of a pack of so many runs, as vae-train makes them."""
    states = []
    for seed in range(members):
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            parts = build(accept(compose("config", [*BASE, *overrides, f"seed={seed}"])), loaded)
        states.append(State(parts, torch.Generator(parts.device).manual_seed(seed)))
    parts = states[0].experiment
    runner = parts.runtime(SingleRun(states[0]) if members == 1 else PackedRuns(states))
    n, cuda = len(parts.data.train.images), parts.device.type == "cuda"

    def batches() -> Iterator[torch.Tensor]:
        while True:
            order = epoch_order(n, 0, states[0].step // parts.steps_per_epoch, parts.device)
            yield from parts.runtime(SingleRun(states[0])).feed(order, lambda: 50)

    feed = batches()

    def block(steps: int) -> float:
        start, made = time.perf_counter(), 0
        while made < steps:
            batch = next(feed)
            made += len(runner(batch if members == 1 else [batch] * members))
        if cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / made

    block(3)
    return block


def measure(
    rounds: int, steps: int, fixed: list[str], panels: list[str]
) -> dict[str, dict[int, list[float]]]:
    """Panel → value → seconds of a step, one a round."""
    loaded: dict[str, Dataset] = {}
    blocks = {
        (panel, value): point(
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
    figure, axes = plt.subplots(
        -(-len(times) // columns), columns, figsize=(4.2 * columns, 6.8), squeeze=False
    )
    for axis, (panel, points) in zip(axes.flat, times.items(), strict=False):
        values = list(points)
        low, middle, high = (
            torch.tensor(each) * 1000 for each in zip(*map(quartiles, points.values()), strict=True)
        )
        axis.errorbar(values, middle, [middle - low, high - middle], marker="o", capsize=3, label="measured")
        alone = panel == "pack size"
        proportional = middle[0] * torch.tensor(values) / values[0]
        label = "as many solo runs" if alone else "proportional"
        axis.plot(values, proportional, "--", lw=1, color="grey", label=label)
        axis.set(
            xscale="log",
            yscale="log",
            xlabel=PANELS[panel][0],
            ylabel="ms a step",
            title=panel + (" (batch 16, 64 hidden units)" if alone else ""),
        )
        axis.set_xticks(values, [f"{value:,}" for value in values])
        axis.minorticks_off()
        ticks = [
            t
            for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
            if middle.min() / 2.5 < t < 2.5 * middle.max()
        ]
        axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ylim(middle.min() / 2.5, 2.5 * middle.max())
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.suptitle(title)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)


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
