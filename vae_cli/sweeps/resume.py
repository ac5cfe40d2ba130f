"""vae-train resume=RUN_FOLDER [epochs=N]: continues a run from its saved configuration, without Hydra."""

from typing import Any

from omegaconf import DictConfig

from vae_cli.config.compose import accept
from vae_cli.config.recorded import to_saved
from vae_cli.errors import UserError
from vae_cli.runs.files import user_path
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.sweeps import resources
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.run import train
from vae_cli.training.session import Session


def resume(path: str, epochs: str | None, external_targets: bool = False) -> Summary:
    """Train the run of the folder that the user has named to the end of its epochs, or of `epochs`. No other key may change."""
    folder = RunFolder(user_path(path))
    cfg = folder.saved_config()
    before = cfg.get("epochs")
    if epochs is not None:
        cfg.epochs = int(epochs) if epochs.isdecimal() and len(epochs) < 20 else epochs
    cfg.external_targets = external_targets  # a key of this call, not of the call that began the run
    config = accept(cfg)
    if not folder.last.exists():
        raise UserError(
            f"resume={folder} has no {folder.last.relative_to(folder.path)}: there is nothing to resume; "
            "start the run anew"
        )
    place = resources.place("", cfg.get("threads", "auto"), jobs_per_gpu=1)
    with Interrupts() as interrupts:
        session = Session(config, folder, interrupts, console=True, place=place)
        session.record = lambda: _record(session, cfg, before)
        with session:
            return train(session)


def _record(session: Session, cfg: DictConfig, epochs_before: Any) -> None:
    """Save and log the new number of epochs."""
    if cfg.epochs != epochs_before:
        session.log.info("epochs    %s → %s; everything else is as before", epochs_before, cfg.epochs)
        session.folder.record(config=to_saved(cfg))
