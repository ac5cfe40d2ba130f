"""The cost of vae-compare on 1,000 run folders: seconds and peak memory of the whole command.

The folders contain what the command reads: a saved configuration, summaries, 400 lines of metrics, and samples. They are
of a sweep over 20 learning rates, 10 code sizes and 5 seeds.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from vae_cli.config.yaml_comments import config_folder
from vae_cli.reporting import plots

RATES = [float(f"{rate:.3g}") for rate in np.geomspace(1e-4, 1e-1, 20)]
SIZES = range(5, 55, 5)
COMMAND = "import sys; sys.argv[0] = 'vae-compare'; from vae_cli.cli import compare; compare()"


def configuration() -> dict:
    """Approximately what Hydra saves: config.yaml with one option of each group."""
    config = yaml.safe_load((config_folder() / "config.yaml").read_text())
    del config["hydra"], config["defaults"]
    for group, option in (("latent", "gaussian"), ("estimator", "pathwise"), ("likelihood", "bernoulli"),
                          ("network", "mlp"), ("objective", "elbo"), ("optimizer", "adam"), ("schedule", "constant"),
                          ("corruption", "none"), ("data", "rectangles")):  # fmt: skip
        part = yaml.safe_load((config_folder() / group / f"{option}.yaml").read_text()) or {}
        part.pop("defaults", None)
        config[group] = config.get(group, {}) | part
    return config


def rectangles(draws: np.random.Generator) -> np.ndarray:
    """[1002, 1002, 3] uint8: 20 × 20 images of 24 × 24 pixels, as plots.grid puts them side by side."""
    grid = np.full((501, 501, 3), 191, np.uint8)
    for top in range(1, 501, 25):
        for left in range(1, 501, 25):
            image = np.zeros((24, 24, 3))
            y, x, height, width = draws.integers(4, 12, 4)
            image[y : y + height, x : x + width] = 1
            grid[top : top + 24, left : left + 24] = 255 * (0.9 * image + 0.1 * draws.random((24, 24, 1)))
    return grid.repeat(2, 0).repeat(2, 1)


def write_runs(folder: Path, seeds: int) -> int:
    draws, config = np.random.default_rng(0), configuration()
    picture = folder / "samples.png"
    plots.save(picture, rectangles(draws), "samples")
    n = 0
    for rate in RATES:
        for size in SIZES:
            for seed in range(seeds):
                run = folder / f"runs/latent.code_size={size},optimizer.lr={rate},seed={seed}"
                for inside in (".hydra", "figures", "evaluation"):
                    (run / inside).mkdir(parents=True)
                config["seed"], config["latent"]["code_size"], config["optimizer"]["lr"] = seed, size, rate
                (run / ".hydra/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
                nll = 80 + 200 / size + 5 * abs(np.log10(rate) + 3) + draws.random()
                test = {"elbo": -nll - 3, "rate": size / 2, "distortion": nll + 3 - size / 2, "nll": nll}
                test |= {"active_units": size, "rate_per_unit": [0.5] * size}
                data = {"name": "rectangles", "entropy": 9.5, "gap": nll - 9.5}
                summary = {"status": "finished", "steps": 8000, "seconds": 60.0, "test": test, "validation": test, "data": data}  # fmt: skip
                (run / "summary.json").write_text(json.dumps(summary))
                figures = {name: {"value": value} for name, value in test.items() if name != "rate_per_unit"}
                (run / "evaluation/summary.json").write_text(json.dumps({"figures": figures}))
                lines = [{"step": i, "epoch": i / 20, "split": "validation" if i % 20 == 0 else "train", "elbo": -nll - 300 / i} for i in range(1, 401)]  # fmt: skip
                (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
                (run / "figures/samples.png").hardlink_to(picture)
                n += 1
    return n


def main() -> None:
    parser = argparse.ArgumentParser(description="seconds and peak memory of vae-compare")
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n = write_runs(folder, seeds=5)
        seconds, memory = [], []
        for _ in range(repeats):
            start = time.perf_counter()
            process = Popen([sys.executable, "-c", COMMAND, str(folder / "runs")], stdout=DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0, f"vae-compare ended with {os.waitstatus_to_exitcode(status)}"
            seconds.append(time.perf_counter() - start)
            memory.append(usage.ru_maxrss * 1024 / 1e6)
        for what, values, target in (("s", seconds, 10), ("MB", memory, 500)):
            verdict = "met" if median(values) <= target else "MISSED"
            print(f"vae-compare on {n:,} runs: {median(values):.1f} {what} [{min(values):.1f}, {max(values):.1f}], n = {repeats}; target {target} {what}, {verdict}")  # fmt: skip


if __name__ == "__main__":
    main()
