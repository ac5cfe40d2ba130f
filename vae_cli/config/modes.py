"""Keys of Hydra that mean something to a sweep alone, or to one run alone: elsewhere Hydra ignores them."""

from collections.abc import Iterable

from vae_cli.errors import UserError

OF_A_SWEEP = ("hydra.sweep", "hydra.sweeper", "hydra.launcher", "hydra/sweeper", "hydra/launcher")
OF_ONE_RUN = ("hydra.run",)


def refuse_unused(overrides: Iterable[str], sweep: bool) -> None:
    """Raise UserError for an override that has no effect in this call."""
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if not sweep and _is_of(key, OF_A_SWEEP):
            raise UserError(f"{override} has no effect on one run; -m (--multirun) starts a sweep")
        if sweep and _is_of(key, OF_ONE_RUN):
            raise UserError(f"{override} has no effect on a sweep; hydra.sweep.dir=FOLDER names its folder")


def _is_of(key: str, sections: Iterable[str]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)
