"""Members that make their steps together, as one stacked model. Imports torch with the first step."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vae_cli.sweeps.packed.member import Member

if TYPE_CHECKING:
    from torch import Tensor

    from vae_cli.engine.runtimes import Runner


class Lockstep:
    """Members whose batches have equal sizes until they end: see `Session.position`. A member that ends leaves, and the
    stacked model is built again from the others."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self._runner: Runner | None = None

    def step(self) -> None:
        """Make the next step of each member. An error in it is an error of each member."""
        if not self.members:
            return
        start = time.perf_counter()
        try:
            step_metrics = self._step()
        except Exception as error:
            for member in self.members:
                member.fail(error)
        else:
            seconds = time.perf_counter() - start
            for member, own in zip(self.members, step_metrics, strict=True):
                member.after(own, seconds)
        if any(member.batch is None for member in self.members):
            self.members = [member for member in self.members if member.batch is not None]
            self._runner = None

    def _step(self) -> "Sequence[Tensor]":
        """The metrics of each member's steps."""
        from vae_cli.engine.packed import PackedRuns

        runs = [member.run for member in self.members if member.run]
        batches: list[Any] = [member.batch for member in self.members]
        if len(runs) == 1:
            return [runs[0].step(batches[0])]
        states = [run.state for run in runs]
        self._runner = self._runner or states[0].experiment.runtime(PackedRuns(states))
        return self._runner(batches).unbind(1)


def in_lockstep(members: Sequence[Member]) -> list[Lockstep]:
    """Started members, those of equal position together: a resumed member may be anywhere in an epoch."""
    together: dict[object, list[Member]] = defaultdict(list)
    for member in members:
        if member.batch is not None and member.run:
            together[member.run.position()].append(member)
    return [Lockstep(group) for group in together.values()]
