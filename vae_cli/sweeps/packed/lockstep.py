"""Members that make their steps together, as one stacked model. Imports torch with the first step."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vae_cli.sweeps.packed.member import Member

if TYPE_CHECKING:
    from torch import Tensor

    from vae_cli.engine.runners import Runner


class Lockstep:
    """Members whose batches have equal sizes until they end: see `Session.position`. When a member ends, the stacked
    model is built again from the other members."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self._runner: Runner | None = None

    def step(self) -> None:
        """Make the next step of each member. An error of the common step ends each of them."""
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

        sessions = [member.session for member in self.members if member.session]
        batches: list[Any] = [member.batch for member in self.members]
        if len(sessions) == 1:
            return [sessions[0].step(batches[0])]
        states = [session.state for session in sessions]
        self._runner = self._runner or sessions[0].runtime(PackedRuns(states))
        return self._runner(batches).unbind(1)


def in_lockstep(pack: Sequence[Member]) -> list[Lockstep]:
    """The members of a pack by their position: members that are resumed may be at different batches of an epoch."""
    by_position: dict[object, list[Member]] = defaultdict(list)
    for member in pack:
        if member.batch is not None and member.session:
            by_position[member.session.position()].append(member)
    return [Lockstep(members) for members in by_position.values()]
