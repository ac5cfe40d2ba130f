"""Keys of Hydra's launchers and sweepers that this package reads itself."""

from vae_cli.config.schema.fields import Count, Fraction, Text, Workers
from vae_cli.config.schema.part import Checked


class PackedLauncherConfig(Checked):
    """hydra/launcher=packed"""

    max_members: Count | None
    processes: Workers | None


class SweeperConfig(Checked):
    """hydra/sweeper=basic"""

    max_batch_size: Count | None


class SearchConfig(Checked):
    """hydra/sweeper=optuna"""

    n_trials: Count
    n_jobs: Workers
    max_failure_rate: Fraction
    storage: Text
    study_name: Text
