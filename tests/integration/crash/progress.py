"""How far a disturbed call had come, for the counts of the trial."""

from pathlib import Path

from integration.places import temporary
from run_comparison import saved, summary

BEFORE, BETWEEN = "before the first checkpoint", "between two checkpoints"


def progress(place: Path, undisturbed: Path, fraction: float) -> str:
    """In words; also whether it was writing a file. Where the folder of a run does not tell, the third of the time."""
    runs = sorted(path.parent for path in undisturbed.glob("*/**/checkpoints"))
    where = [_of_run(place / run.relative_to(undisturbed), run) for run in runs]
    in_words = " + ".join(sorted(where)) if len(set(where)) > 1 else where[0]
    if in_words == "finished":
        in_words = f"in the {('first', 'second', 'last')[int(3 * fraction)]} third"
    return in_words + (", within a write" if temporary(place) else "")


def _of_run(folder: Path, undisturbed: Path) -> str:
    if not folder.exists():
        return "not begun"
    if not (folder / "checkpoints/last.pt").exists():
        return BEFORE
    if (folder / "summary.json").exists() and summary(folder)["status"] == "finished":
        return "finished"
    return "in the test" if saved(folder)["step"] == saved(undisturbed)["step"] else BETWEEN
