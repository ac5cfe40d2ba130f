"""hydra/sweeper=basic: Hydra's own sweeper, which trains all combinations of the given values, with a check of all members
before the first one starts.

Hydra looks for sweepers in a top-level package `hydra_plugins`, so this file is here.
"""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser


class CheckedSweeper(BasicSweeper):
    def sweep(self, arguments: list[str]) -> Any:
        # imported here, because Hydra imports this file for every sweeper
        from vae_cli.sweeps.check import check_members, check_values
        from vae_cli.sweeps.monitor import MONITORS

        assert self.config is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        check_values(overrides)
        self.checked = False
        if MONITORS:  # else the jobs are of another command than vae-train
            (members,) = self.split_arguments(overrides, max_batch_size=None)
            check_members(self.config, loader, members)
            self.checked = True
            MONITORS[-1].begin(len(members))
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Composing takes about 50 ms a member, so it is not done twice."""
        if not self.checked:
            super().validate_batch_is_legal(batch)
