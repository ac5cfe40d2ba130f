"""Measures every number that tests/benchmarks/README.md has about a GPU, in one call of less than 8 minutes.

    python tests/benchmarks/gpu.py                    needs CUDA; --device cpu --quick rehearses it anywhere

steps         of 784-400-20, batch 128, by each runtime and number of steps in a graph; an epoch of 60,000 images
others        contestants.py on the GPU: Pythae (VAE_CLI_PYTHAE names a Python that has it), plain loops, the products
launch floor  a captured graph of as many empty kernels as a step has
packed        1, 16 and 64 such runs packed, each with its own order of images and noise
likelihood    importance-sampled log p(x) of 10,000 images, K = 5,000, all levels
first step    from the command to the end of the first training step, in a process of its own
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import scaling
import torch
from contestants import HERE, OVERRIDES, Block, contestants, timed
from likelihood import model
from our_steps import endless_steps, new_states
from step import machine, with_quartiles
from torch.profiler import ProfilerActivity, profile

from vae_cli.data.dataset import Dataset, Split
from vae_cli.engine.runtimes import Compile, Eager, Graph, Runtime
from vae_cli.metrics.likelihood import log_likelihood, nested_levels

TARGETS = {"step, µs": 60, "epoch, ms": 30, "pythae / ours": 50, "16 / 1": 2, "64 / 1": 4, "likelihood, s": 5}
RUNTIMES: dict[str, Runtime] = {
    "eager": Eager(),
    **{f"graph of {k}": Graph(k, False) for k in (1, 10, 50)},
    "compile": Compile(),
    "graph of 10, compiled": Graph(10, True),
}


def report(what: str, value: float, unit: str, target: str = "", least: bool = False) -> None:
    verdict = ""
    if target in TARGETS:
        met = value >= TARGETS[target] if least else value <= TARGETS[target]
        verdict = f"   target {TARGETS[target]} {'met' if met else 'MISSED'}"
    print(f"{what:44}{value:>12.4g} {unit}{verdict}", flush=True)


def steps(device: str, runtime: Runtime, runs: int = 1) -> Block:
    return timed(endless_steps(new_states([*OVERRIDES, f"device={device}"], runs), runtime), device)


def of_runtimes(device: str, count: int) -> dict[str, float]:
    """Runtime → µs of a step."""
    blocks: dict[str, Block] = {}
    for name, runtime in RUNTIMES.items():
        try:
            blocks[name] = steps(device, runtime)
            start = time.perf_counter()
            blocks[name](60)  # captures, compiles
            report(f"{name}: the first 60 steps", time.perf_counter() - start, "s")
        except Exception as error:  # the other numbers are still wanted
            print(f"{name}: FAILED, {type(error).__name__}: {str(error)[:300]}", flush=True)
            blocks.pop(name, None)
    rounds = [{name: median(block(count)) for name, block in blocks.items()} for _ in range(7)]
    found = {name: [1e6 * each[name] for each in rounds] for name in blocks}
    for name, values in found.items():
        print(f"step, {name:38}{with_quartiles(values, 1):>24} µs", flush=True)
    return {name: median(values) for name, values in found.items()}


def kernels(device: str) -> int:
    """The number of kernels that one eager step launches."""
    block = steps(device, Eager())
    block(5)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        block(1)
    cuda = torch.autograd.DeviceType.CUDA
    return sum(event.count for event in seen.key_averages() if event.device_type == cuda)


def launch_floor(count: int) -> float:
    """µs of a graph of `count` kernels that do almost nothing."""
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


def report_steps(device: str, count: int) -> float:
    """Returns the best time of a step, in µs."""
    times = of_runtimes(device, count)
    graphs = [times[name] for name in times if name.startswith("graph")]
    best = min(graphs or times.values())
    report("best step", best, "µs", "step, µs")
    report("an epoch of 60,000 images", best * 469 / 1000, "ms", "epoch, ms")
    return best


def report_others(device: str, count: int, best: float) -> None:
    with tempfile.TemporaryDirectory() as root:
        for name, block in contestants(Path(root), device).items():
            block(60)
            time_of_step = 1e6 * median(block(count))
            report(f"step, {name}", time_of_step, "µs")
            if name == "pythae":
                report("pythae / best step", time_of_step / best, "times", "pythae / ours", least=True)


def report_launch_floor(device: str) -> None:
    count = kernels(device)
    report("kernels of an eager step", count, "")
    report("a graph of as many empty kernels", launch_floor(count), "µs")


def report_packed(device: str, count: int, sizes: Sequence[int]) -> None:
    first = None
    for runs in sizes:
        block = steps(device, Graph(10, False), runs)
        block(60)
        time_of_step = 1e6 * median(block(count))
        first = first or time_of_step
        report(f"packed, {runs} runs", time_of_step, "µs a step")
        report(f"packed, {runs} runs / one", time_of_step / first, "times", f"{runs} / 1")


def report_scaling(device: str, out: Path) -> None:
    torch.cuda.empty_cache()
    times = scaling.measure(5, 100, [f"device={device}"], list(scaling.PANELS))
    title = f"One training step of 784-400-20, batch 128, on {torch.cuda.get_device_name()}"
    scaling.draw(times, out, title)
    for panel, points in times.items():
        print(panel, {value: round(1e6 * median(each), 1) for value, each in points.items()}, "µs")


def main() -> None:
    parser = argparse.ArgumentParser(description="every number about a GPU, in one call")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="few steps, few images: a rehearsal")
    parser.add_argument("--out", type=Path, default=Path("outputs/scaling_cuda.png"))
    given = parser.parse_args()
    start, cuda, device = time.perf_counter(), given.device == "cuda", given.device
    count = 10 if given.quick else 500
    print(machine())
    print(torch.cuda.get_device_name() if cuda else "a rehearsal on a CPU: its numbers say nothing of a GPU")
    if not cuda:
        TARGETS.clear()
    best = report_steps(device, count)
    report_others(device, count // 5, best)
    if cuda:
        report_launch_floor(device)
    report_packed(device, count // 5, (1, 3) if given.quick else (1, 16, 64))
    size = (100, 50) if given.quick else (10_000, 5_000)
    report("K = {1:,}, {0:,} images".format(*size), likelihood(device, *size), "s", "likelihood, s")
    with tempfile.TemporaryDirectory() as folder:
        report("command to first step", first_step(device, folder), "s")
    if cuda:
        report("peak memory on the device", torch.cuda.max_memory_allocated() / 1e9, "GB")
    if not given.quick:
        report_scaling(device, given.out)
    report("this script", time.perf_counter() - start, "s")


if __name__ == "__main__":
    main()
