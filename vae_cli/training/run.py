"""One run by itself."""

from pathlib import Path

from vae_cli.config.schema.run import RunConfig
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.session import Session


def run(config: RunConfig, folder: Path, console: bool = False) -> Summary:
    """Trains what `config` describes into `folder`, from its last checkpoint where there is one; returns what
    summary.json then holds.

    Raises UserError, Diverged or Interrupted, each after summary.json says so.
    """
    with (
        Interrupts() as interrupts,
        Session(config, RunFolder(folder), interrupts, console=console) as session,
    ):
        return train(session)


def train(session: Session) -> Summary:
    """The loop of one run; its summary."""
    for batch in session.batches():
        session.after(session.step(batch))
    return session.finish()
