"""What the tests of vae-compare share."""

from pathlib import Path

from runs.synthetic import read_all, write_run

from vae_cli.comparison import table
from vae_cli.comparison.compare import compare
from vae_cli.comparison.table import Table
from vae_cli.config.schema.commands import CompareConfig

AUTO = {"value": "auto", "best": "auto", "x": "auto", "y": "auto"}
REPORT = "latent.code_size=20,latent.temperature=0.5,seed=0/evaluation/report.html"
ODD_NAMES = ["a=1,b=[2]", "two words", "it's", 'a "quote"', "back\\slash", "${seed}", "{x: 1}", "end\\", "µ§中",
             "a\\\\${b}", "true"]  # fmt: skip


def write_sweep(folder: Path) -> Path:
    """Two code sizes × two temperatures × two seeds, and three runs that have not finished."""
    nll = {(10, 0.5): 12.0, (10, 1.0): 11.0, (20, 0.5): 8.0, (20, 1.0): 9.0}
    sweep = folder / "sweep"
    for (size, temperature), value in nll.items():
        for seed in (0, 1):
            name = f"latent.code_size={size},latent.temperature={temperature},seed={seed}"
            write_run(sweep / name, value + 0.2 * seed, pictures=size == 20, seed=seed, latent__code_size=size,
                      latent__temperature=temperature)  # fmt: skip
    write_run(sweep / "running", status=None, latent__code_size=40)
    write_run(sweep / "broken", nll=None, status="failed", latent__code_size=50)
    write_run(sweep / "garbled", latent__code_size=60)
    (sweep / "garbled/summary.json").write_text('{"status": "fini')
    return sweep


def tabulate(folder: Path, **settings: object) -> Table:
    return table.tabulate(read_all(folder), **(AUTO | settings))


def compared(folder: Path, **settings: object) -> Path:
    """The folder that a comparison wrote."""
    compare(CompareConfig.model_validate(AUTO | {"folders": [str(folder)], "out": None} | settings))
    return Path(str(settings.get("out") or folder / "comparison"))
