"""Time of a training step, ours and others'. contestants.py describes them and what a step includes.

Each round times a block of steps of every contestant, so that a drift of the machine affects all of them equally. A
ratio compares two medians of one round; its median and quartiles are over the rounds. Another busy process slows the many
short parallel regions of a training step more than the few long ones of the matrix products: trust that ratio only on a
quiet machine.
"""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

import torch
from contestants import contestants

TARGETS = {"pythae": 0.45, "dataloader": 0.2, "products": 1.4}  # ours / it, at most


def with_quartiles(values: list[float], digits: int) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{median(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def report(times: dict[str, list[list[float]]]) -> None:
    """Prints the table. `times`: contestant → rounds → seconds of each step."""
    print(f"{'step':16}{'ms, median [quartiles]':>28}{'ours / it, over rounds':>28}{'target':>8}")
    for name, rounds in times.items():
        line = f"{name:16}{with_quartiles([1000 * t for block in rounds for t in block], 2):>28}"
        if name != "ours":
            ratios = [median(a) / median(b) for a, b in zip(times["ours"], rounds, strict=True)]
            line += f"{with_quartiles(ratios, 3):>28}"
            if target := TARGETS.get(name):
                line += f"{target:>8} {'met' if median(ratios) <= target else 'MISSED'}"
        print(line)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    names = ("vae-cli", "torch", "torchvision")
    return (
        f"{cpu['model name']} (family {cpu['cpu family']}, model {cpu['model']}), "
        f"{len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; load {os.getloadavg()[0]:.2f} before the run\n"
        f"python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="time of a training step, ours and others'")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=50, help="of each contestant in a round")
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as root:
        blocks = contestants(Path(root))
        times: dict[str, list[list[float]]] = {name: [] for name in blocks}
        for _ in range(args.rounds + 1):
            for name, block in blocks.items():
                times[name].append(block(args.steps))
    print(f"n = {args.rounds} rounds × {args.steps} steps after one round of warm-up; all seeds 0\n")
    report({name: rounds[1:] for name, rounds in times.items()})


if __name__ == "__main__":
    main()
