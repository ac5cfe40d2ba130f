"""The status of a sweep's member: what its job has noted, and what its folder says."""

from pathlib import Path

from vae_cli.runs.folder import FINISHED, UNFINISHED, RunFolder
from vae_cli.runs.lock import is_held, owner
from vae_cli.runs.record import RunRecord, read
from vae_cli.sweeps.call import REFUSED, RUNNING, Entry

FAILURES = ("failed", "diverged")


def record_of(entry: Entry, name: str) -> RunRecord:
    """The record of a member. What it has noted counts; its folder adds the metrics and the settings."""
    folder = RunFolder(Path(entry.folder))
    member = _read(folder, name)
    config = dict(entry.settings) or member.config
    if entry.status == RUNNING and is_held(folder.path):
        return member._replace(status=RUNNING, error=owner(folder.path), config=config)
    if entry.status == RUNNING:
        died = f"{entry.process} died; the same command continues it"
        return member._replace(status=UNFINISHED, error=died, config=config)
    if entry.status == REFUSED:
        return member._replace(status=REFUSED, error=entry.error, config=config, metrics={})
    if entry.status == FINISHED or entry.status == member.status:
        return member  # a finished one may have been damaged since
    return member._replace(status=entry.status, error=entry.error, config=config)


def _read(folder: RunFolder, name: str) -> RunRecord:
    try:
        return read(folder, name)
    except Exception as error:  # whatever the folder of one member holds, the others are shown
        return RunRecord(folder, name, f"unreadable: {type(error).__name__}: {error}", {}, {}, None)


def earlier_failure(folder: RunFolder) -> str | None:
    """How an earlier attempt at this member failed or diverged; None where it did not."""
    member = _read(folder, folder.name)
    return f"{member.status}: {member.error}" if member.status in FAILURES else None
