"""What vae-train costs besides its training: seconds to an answer and to the first step, and peak memory.

Timed are whole commands for `vae-train --help` and a configuration error; the time from the command to the end of the
first training step with the defaults, in pairs with the whole of `python -c "import torch"`. Measured is also the peak
resident memory of one process: the default run with one epoch, its validation, test and figures.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from subprocess import DEVNULL, PIPE, Popen

HERE = Path(__file__).resolve().parent
VAE_TRAIN = [Path(sys.executable).parent / "vae-train"]
PYTHON = [sys.executable]


def seconds(command: list, expect: int = 0) -> float:
    """Seconds of a whole command."""
    start = time.perf_counter()
    process = Popen(command, stdout=DEVNULL, stderr=DEVNULL)
    assert process.wait() == expect, f"{command} ended with {process.returncode}"
    return time.perf_counter() - start


def first_step(folder: str) -> float:
    start = time.perf_counter()  # CLOCK_MONOTONIC: one clock for all processes
    command = [*PYTHON, HERE / "first_step.py", "device=cpu", f"hydra.run.dir={folder}"]
    output = Popen(command, stdout=PIPE, text=True).communicate()[0]
    found = re.search(r"first step (\S+)", output)
    assert found, output
    return float(found[1]) - start


def peak_memory(folder: str) -> float:
    """GB that the kernel accounts to this child process."""
    command = [*VAE_TRAIN, "epochs=1", "device=cpu", f"hydra.run.dir={folder}"]
    process = Popen(command, stdout=DEVNULL, stderr=DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"vae-train ended with {os.waitstatus_to_exitcode(status)}"
    return usage.ru_maxrss * 1024 / 1e9


def line(what: str, values: list[float], unit: str, target: float | None = None) -> None:
    quartiles = ""
    if len(values) > 1:
        low, _, high = quantiles(values, n=4)
        quartiles = f" [{low:.2f}, {high:.2f}]"
    verdict = f"{target:>6} {'met' if median(values) <= target else 'MISSED'}" if target else ""
    print(f"{what:38}{f'{median(values):.2f}{quartiles} {unit}':>24}{verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="seconds to answer and to the first step, and peak memory")
    parser.add_argument("--repeats", type=int, default=5)
    n = parser.parse_args().repeats
    print(f"\n{f'median [quartiles] of {n}':>61}  target")
    line("vae-train --help", [seconds([*VAE_TRAIN, "--help"]) for _ in range(n)], "s", 1.0)
    line("a configuration error", [seconds([*VAE_TRAIN, "latent=bernouli"], 2) for _ in range(n)], "s", 1.0)
    torch, first = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(n):
            torch.append(seconds([*PYTHON, "-c", "import torch"]))
            first.append(first_step(f"{folder}/{i}"))
        line('python -c "import torch"', torch, "s")
        line("command to first training step", first, "s")
        line("first step / import torch", [a / b for a, b in zip(first, torch, strict=True)], "", 1.5)
        line("peak memory of a run, epochs=1", [peak_memory(f"{folder}/whole")], "GB", 1.5)


if __name__ == "__main__":
    main()
