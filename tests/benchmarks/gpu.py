"""All that tests/benchmarks/README.md says of a GPU, measured in one call of under 8 minutes; each figure is printed at once.

    python tests/benchmarks/gpu.py                    needs CUDA; --device cpu --quick rehearses it anywhere

steps         of 784-400-20, batch 128, by each runtime and number of steps a graph, and of an epoch of 60,000 images
others        contestants.py on the GPU: Pythae (VAE_CLI_PYTHAE names a Python that has it), plain loops, the products
launch floor  a captured graph of as many empty kernels as a step has
packed        a stack of 1, 16 and 64 such members, each one's own data order and noise
likelihood    importance-sampled log p(x) of 10,000 images, K = 5,000, all levels
first step    from the command to the end of the first training step, a process of its own
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import scaling
import torch
from contestants import HERE, Block, configured, contestants, timed
from likelihood import model
from step import machine, spread
from torch.profiler import ProfilerActivity, profile

from vae_cli.data.batches import epoch_order
from vae_cli.data.dataset import Dataset, Split
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runtimes import Compile, Eager, Graph, Runtime
from vae_cli.engine.state import State
from vae_cli.engine.trainable import SingleRun
from vae_cli.metrics.likelihood import log_likelihood, nested_levels

TARGETS = {"step, µs": 60, "epoch, ms": 30, "pythae / ours": 50, "16 / 1": 2, "64 / 1": 4, "likelihood, s": 5}
RUNTIMES: dict[str, Runtime] = {
    "eager": Eager(),
    **{f"graph of {k}": Graph(k, False) for k in (1, 10, 50)},
    "compile": Compile(),
    "graph of 10, compiled": Graph(10, True),
}


def say(what: str, value: float, unit: str, target: str = "", least: bool = False) -> None:
    verdict = ""
    if target in TARGETS:
        met = value >= TARGETS[target] if least else value <= TARGETS[target]
        verdict = f"   target {TARGETS[target]} {'met' if met else 'MISSED'}"
    print(f"{what:44}{value:>12.4g} {unit}{verdict}", flush=True)


def steps(states: list[State], runtime: Runtime) -> Iterator[None]:
    """Of one run, or of a stack, as vae_cli.training.trainer feeds them."""
    parts = states[0].experiment
    solo = [runtime(SingleRun(state)) for state in states]
    runner = solo[0] if len(states) == 1 else runtime(PackedRuns(states))
    n = len(parts.data.train.images)
    while True:
        epoch = states[0].step // parts.steps_per_epoch
        orders = [epoch_order(n, seed, epoch, parts.device) for seed in range(len(states))]
        feeds = [own.feed(order, lambda: 50) for own, order in zip(solo, orders, strict=True)]
        for batches in zip(*feeds, strict=True):
            yield from [None] * len(runner(batches[0] if len(states) == 1 else list(batches)))


def states(device: str, count: int) -> list[State]:
    loaded: dict[str, Dataset] = {}
    return [
        State(parts, torch.Generator(parts.device).manual_seed(seed))
        for seed in range(count)
        for parts in [configured(f"device={device}", f"seed={seed}", loaded=loaded)]
    ]


def of_runtimes(device: str, n: int) -> dict[str, float]:
    blocks: dict[str, Block] = {}
    for name, runtime in RUNTIMES.items():
        try:
            blocks[name] = timed(steps(states(device, 1), runtime), device)
            start = time.perf_counter()
            blocks[name](60)  # captures, compiles
            say(f"{name}: the first 60 steps", time.perf_counter() - start, "s")
        except Exception as error:  # the other figures are wanted all the same
            print(f"{name}: FAILED, {type(error).__name__}: {str(error)[:300]}", flush=True)
            blocks.pop(name, None)
    rounds = [{name: median(block(n)) for name, block in blocks.items()} for _ in range(7)]
    found = {name: [1e6 * each[name] for each in rounds] for name in blocks}
    for name, values in found.items():
        print(f"step, {name:38}{spread(values, 1):>24} µs", flush=True)
    return {name: median(values) for name, values in found.items()}


def kernels(device: str) -> int:
    """That one eager step launches."""
    block = timed(steps(states(device, 1), Eager()), device)
    block(5)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        block(1)
    return sum(
        event.count for event in seen.key_averages() if event.device_type == torch.autograd.DeviceType.CUDA
    )


def launch_floor(count: int) -> float:
    """µs of a graph of `count` kernels that do next to nothing."""
    x = torch.zeros(1, device="cuda")
    x.add_(1)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(count):
            x.add_(1)
    return 1e6 * seconds(graph.replay, 200, "cuda")


def seconds(work: Callable[[], object], times: int, device: str) -> float:
    def done() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    work()
    done()
    start = time.perf_counter()
    for _ in range(times):
        work()
    done()
    return (time.perf_counter() - start) / times


def likelihood(device: str, images: int, samples: int) -> float:
    vae = model().to(device)
    split = Split((torch.rand(images, 784) < 0.2).to(torch.uint8).to(device))
    data = Dataset(split, split, split, (1, 28, 28))
    return seconds(lambda: log_likelihood(vae, data, split, nested_levels(samples)), 1, device)


def first_step(device: str, folder: str) -> float:
    start = time.perf_counter()
    words = [sys.executable, HERE / "first_step.py", f"device={device}", f"hydra.run.dir={folder}"]
    output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False).stdout
    found = [line.split()[-1] for line in output.splitlines() if line.startswith("first step")]
    return float(found[0]) - start if found else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description="every figure of a GPU, in one call")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="few steps, few images: a rehearsal")
    parser.add_argument("--out", type=Path, default=Path("outputs/scaling_cuda.png"))
    given = parser.parse_args()
    cuda, device, n = given.device == "cuda", given.device, 10 if given.quick else 500
    print(machine())
    print(
        torch.cuda.get_device_name()
        if cuda
        else "a rehearsal on a CPU: no figure of it says anything of a GPU"
    )
    if not cuda:
        TARGETS.clear()
    began = time.perf_counter()

    found = of_runtimes(device, n)
    graphs = [found[name] for name in found if name.startswith("graph")]
    best = min(graphs or found.values())
    say("best step", best, "µs", "step, µs")
    say("an epoch of 60,000 images", best * 469 / 1000, "ms", "epoch, ms")
    with tempfile.TemporaryDirectory() as root:
        for name, block in contestants(Path(root), device).items():
            block(60)
            own = 1e6 * median(block(n // 5))
            say(f"step, {name}", own, "µs")
            if name == "pythae":
                say("pythae / best step", own / best, "times", "pythae / ours", least=True)
    if cuda:
        count = kernels(device)
        say("kernels of an eager step", count, "")
        say("a graph of as many empty kernels", launch_floor(count), "µs")
    packed = {}
    for members in (1, 16, 64) if not given.quick else (1, 3):
        block = timed(steps(states(device, members), Graph(10, False)), device)
        block(60)
        packed[members] = 1e6 * median(block(n // 5))
        target = f"{members} / 1"
        say(f"packed, {members} members", packed[members], "µs a step")
        say(f"packed, {members} members / one", packed[members] / packed[1], "times", target)
    say(
        "K = 5,000, 10,000 images",
        likelihood(device, *((100, 50) if given.quick else (10_000, 5_000))),
        "s",
        "likelihood, s",
    )
    with tempfile.TemporaryDirectory() as folder:
        say("command to first step", first_step(device, folder), "s")
    if cuda:
        say("peak memory on the device", torch.cuda.max_memory_allocated() / 1e9, "GB")
    if not given.quick:
        torch.cuda.empty_cache()
        times = scaling.measure(5, 100, [f"device={device}"], list(scaling.PANELS))
        scaling.draw(
            times, given.out, f"One training step of 784-400-20, batch 128, on {torch.cuda.get_device_name()}"
        )
        for panel, points in times.items():
            print(panel, {value: round(1e6 * median(each), 1) for value, each in points.items()}, "µs")
    say("this script", time.perf_counter() - began, "s")


if __name__ == "__main__":
    main()
