"""The status of a sweep's member: what its folder says, and whether its process is alive."""

from vae_cli.runs.folder import FINISHED, RunFolder
from vae_cli.runs.lock import is_held, owner
from vae_cli.runs.record import RunRecord, read

FAILURES = ("failed", "diverged")
FINAL = (FINISHED, *FAILURES)  # no launcher restarts these members; Slurm and Ray restart interrupted ones


def current_record(folder: RunFolder) -> RunRecord:
    """The record of a member. Its status may also be "running" or "refused", and its error names a process that
    died."""
    member = read(folder, folder.name)
    if is_held(folder.path):
        return member._replace(status="running", error=owner(folder.path))
    if folder.refusal_note.exists():
        return member._replace(status="refused", error=folder.refusal_note.read_text())
    if owner(folder.path) and not member.error and member.status != FINISHED:
        return member._replace(error=f"{owner(folder.path)} died; the same command continues it")
    return member


def earlier_failure(folder: RunFolder) -> str | None:
    """How an earlier attempt at this member failed or diverged; None where it did not."""
    member = read(folder, folder.name)
    return f"{member.status}: {member.error}" if member.status in FAILURES else None
