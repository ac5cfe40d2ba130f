"""Trains and evaluates every preset, and writes the table "Expected and ours" of configs/experiment/README.md.

Runs are in outputs/reproduce/PRESET/seed_N. Finished runs are not trained again and evaluated ones not evaluated again,
so that a call that was interrupted can be repeated. Presets that are sized for a GPU are left out where there is none.
Needs the real MNIST in data.root (default $VAE_CLI_DATA).
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "outputs/reproduce"
README = ROOT / "configs/experiment/README.md"
BEGIN, END = "<!-- make reproduce: begin -->\n", "<!-- make reproduce: end -->\n"
# of presets that are not run with seed 0 alone; the last one was tuned on 0 to 2
SEEDS = {
    "aevb_bernoulli": range(3), "aevb_unit_gaussian": range(3), "aevb_gaussian": range(3),
    "bernoulli_squares_best": range(11, 16),
}  # fmt: skip
EVALUATION = ["nll_samples=1000", "test_images=2000", "classifier_epochs=0"]
CLASSIFIER = ["nll_samples=1000"]  # for journal_club_vae, whose published figures are of all test images
LINES = re.compile(r"# Expected: (.*?)\n(?:# (?:Source|Not copied)|defaults:)", re.DOTALL)

Json = dict[str, Any]


def expected(preset: str) -> str:
    """The comment in the preset's file that says what to expect."""
    found = LINES.search((ROOT / f"configs/experiment/{preset}.yaml").read_text())
    assert found, preset
    return " ".join(found[1].replace("\n#", " ").split()).rstrip(".")


def command(program: str, *arguments: str) -> bool:
    print("+", program, *arguments, flush=True)
    return subprocess.run([Path(sys.executable).with_name(program), *arguments], cwd=ROOT).returncode == 0


def reproduce(preset: str, seed: int) -> None:
    """Trains and evaluates one run. The table says if that failed."""
    folder = RUNS / preset / f"seed_{seed}"
    run = folder / "summary.json"
    if not run.exists() or json.loads(run.read_text())["status"] not in ("finished", "diverged"):
        command("vae-train", f"experiment={preset}", f"seed={seed}", f"hydra.run.dir={folder}")
    if not (folder / "evaluation/summary.json").exists() and (folder / "checkpoints").exists():
        command("vae-eval", f"run={folder}", *(CLASSIFIER if preset == "journal_club_vae" else EVALUATION))


def read(preset: str) -> list[tuple[Json, Json, list[Json]]]:
    """For each seed: summary, metrics of the evaluation, and lines of metrics.jsonl."""
    found = []
    for folder in sorted((RUNS / preset).glob("seed_*")):
        evaluation = folder / "evaluation/summary.json"
        evaluated = json.loads(evaluation.read_text())["figures"] if evaluation.exists() else {}
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        found.append((json.loads((folder / "summary.json").read_text()), evaluated, lines))
    return found


def over_seeds(values: list[float], digits: int = 2) -> str:
    """One value; mean ± standard deviation over seeds; or each value where the deviation exceeds the mean."""
    if len(values) > 1 and stdev(values) > abs(mean(values)):
        return " / ".join(f"{value:,.{0 if abs(value) > 1000 else digits}f}" for value in values)
    text = f"{mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.{digits}f}"


def ours(seeds: list[tuple[Json, Json, list[Json]]]) -> str:
    statuses = [summary["status"] for summary, *_ in seeds]
    texts = [] if set(statuses) == {"finished"} else [", ".join(statuses)]
    tables = [evaluated for _, evaluated, _ in seeds if evaluated]
    for name, digits in (("nll_exact", 2), ("nll", 2), ("gap", 2), ("rate", 2), ("distortion", 2), ("active_units", 0),
                         ("code_logistic", 3), ("classifier_loss", 4), ("classifier_accuracy", 4)):  # fmt: skip
        values = [table[name]["value"] for table in tables if name in table]
        if not values:
            continue
        error = tables[0][name]["standard_error"]
        own = f" (± {error:.3f})" if name in ("nll", "nll_exact") and len(values) == 1 else ""
        texts.append(f"{name.replace('_', ' ')} {over_seeds(values, digits)}{own}")
    losses = [[line["epoch_loss"] for line in lines if "epoch_loss" in line] for *_, lines in seeds]
    if min(map(len, losses)) == 3:  # the three-epoch presets state training losses
        texts.insert(
            0, "training loss " + ", ".join(over_seeds([run[i] for run in losses]) for i in range(3))
        )
    variances = [
        [line["gradient_variance"] for line in lines if "gradient_variance" in line] for *_, lines in seeds
    ]
    if all(variances):
        texts.append(f"gradient variance in the last epoch {variances[0][-1]:,.0f}")
    return "; ".join(texts)


def table(presets: list[str]) -> str:
    rows = ["| `experiment=` | seeds | expected | ours |", "|---|---|---|---|"]
    for preset in presets:
        if seeds := read(preset):
            rows.append(f"| `{preset}` | {len(seeds)} | {expected(preset)} | {ours(seeds)} |")
        else:
            rows.append(f"| `{preset}` | 0 | {expected(preset)} | not run: needs a GPU or hours |")
    return "\n".join(rows) + "\n"


def main() -> None:
    files = (ROOT / "configs/experiment").glob("*.yaml")
    texts = {file.stem: file.read_text() for file in files}
    every = sorted(name for name, text in texts.items() if "mode: MULTIRUN" not in text)  # no sweeps
    runnable = [name for name in every if torch.cuda.is_available() or "device: cuda" not in texts[name]]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=runnable, help="all by default")
    parser.add_argument(
        "--table-only", action="store_true", help="write the table from the runs that are there"
    )
    chosen = parser.parse_args()
    for preset in [] if chosen.table_only else chosen.presets:
        for seed in SEEDS.get(preset, range(1)):
            reproduce(preset, seed)
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + table(every) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
