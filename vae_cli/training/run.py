"""Trains one run."""

from pathlib import Path

from vae_cli.config.schema.run import RunConfig
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.session import Session


def run(config: RunConfig, folder: Path, console: bool = False) -> Summary:
    """Trains what `config` describes into `folder`, from the last checkpoint if there is one; returns the content of
    summary.json.

    Raises UserError, Diverged or Interrupted.
    """
    with (
        Interrupts() as interrupts,
        Session(config, RunFolder(folder), interrupts, console=console) as session,
    ):
        return train(session)


def train(session: Session) -> Summary:
    """Makes all steps of a run; returns its summary."""
    for batch in session.batches():
        session.after(session.step(batch))
    return session.finish()
