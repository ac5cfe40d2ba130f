"""A packed sweep of 8 members (batch 16, hidden 64) against 8 separate runs, one process after another, with start-up.

Both train the same members: a code of 25 bits on 24 × 24 rectangles, two temperatures × four seeds, `--epochs` epochs of
10,000 images, 625 steps each. Everything else is the default, including tests and pictures at the end. One thread each.
Repeats alternate, so that both have the same load.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, run

VAE_TRAIN = [sys.executable, "-m", "vae_cli"]
TARGET = 0.5
TEMPERATURES, SEEDS = (0.5, 1), (1, 2, 3, 4)


def seconds(commands: list[list[str]]) -> float:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    for command in commands:
        run([*VAE_TRAIN, *command], check=True, stdout=DEVNULL, env=environment)
    return time.perf_counter() - start


def trained(folder: Path) -> float:
    """Seconds of the training steps: the sum over separate runs, or those of the longest packed one."""
    each = [json.loads(file.read_text())["seconds"] for file in folder.rglob("summary.json")]
    return sum(each) if folder.name == "separate" else max(each)


def main() -> None:
    parser = argparse.ArgumentParser(description="seconds of a packed sweep / seconds of separate runs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    sizes = ["data.train_size=10000", "data.validation_size=1000", "data.test_size=1000"]
    network = ["latent=bernoulli", "network.hidden=[64]", "batch_size=16", "device=cpu"]
    fixed = [*network, *sizes, f"epochs={given.epochs}"]
    whole, steps = [], []
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory() as name:
            separate, packed = Path(name) / "separate", Path(name) / "packed"
            members = [
                [*fixed, f"latent.temperature={t}", f"seed={s}", f"hydra.run.dir={separate}/{t}_{s}"]
                for t, s in product(TEMPERATURES, SEEDS)
            ]
            grid = [f"{key}={','.join(map(str, values))}" for key, values in
                    (("latent.temperature", TEMPERATURES), ("seed", SEEDS))]  # fmt: skip
            sweep = ["-m", "hydra/launcher=packed", f"hydra.sweep.dir={packed}", *fixed, *grid]
            times = seconds([sweep]), seconds(members)
            whole.append(times[0] / times[1])
            steps.append(trained(packed) / trained(separate))
            print(f"packed {times[0]:6.1f} s   separate {times[1]:6.1f} s   ratio {whole[-1]:.2f}   steps "
                  f"only {trained(packed):.1f} / {trained(separate):.1f} = {steps[-1]:.2f}", flush=True)  # fmt: skip
    verdict = "met" if median(whole) <= TARGET else "MISSED"
    print(f"\n{'packed sweep of 8 / 8 separate runs':38}{median(whole):>10.2f}   target {TARGET} {verdict}")
    print(f"{'steps of the sweep / steps of the runs':38}{median(steps):>10.2f}")


if __name__ == "__main__":
    main()
