"""Trains all members of a packed sweep in this process, one group after another. Imports torch with the first step."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from vae_cli.errors import Interrupted
from vae_cli.sweeps.monitor import SWEEP_INTERRUPTED
from vae_cli.sweeps.packed.compatible import compatible_groups
from vae_cli.sweeps.packed.lockstep import in_lockstep
from vae_cli.sweeps.packed.member import Member
from vae_cli.training.interrupts import Interrupts


def train_members(members: Sequence[Member], max_members: int | None) -> None:
    """Train the members to their ends. `max_members` limits how many of them make up one model."""
    loaded: dict[str, Any] = {}  # data sets, which the members share
    for group in compatible_groups(members):
        while group:
            with Interrupts() as interrupts:
                group = _train_pack(group, interrupts, loaded, max_members)


def _train_pack(
    members: list[Member], interrupts: Interrupts, loaded: dict[str, Any], max_members: int | None
) -> list[Member]:
    """Train as many of the members as fit into memory, and return the others. Raises Interrupted once all are saved.

    The sessions of all members are open in one ExitStack. An error that ends the pack, such as a second signal,
    therefore reaches each session.
    """
    with ExitStack() as sessions:
        pack, others = _start(sessions, members, interrupts, loaded, max_members)
        _train(pack, interrupts)
    if interrupts.received or Interrupted.raised:
        raise Interrupted(SWEEP_INTERRUPTED)
    return others


def _start(
    sessions: ExitStack,
    members: list[Member],
    interrupts: Interrupts,
    loaded: dict[str, Any],
    max_members: int | None,
) -> tuple[list[Member], list[Member]]:
    """Bring members to their first step until no more fit. Returns the members that wait for it, and the members that
    were not started."""
    pack: list[Member] = []
    most, limit = max_members or len(members), "hydra.launcher.max_members"
    for i, member in enumerate(members):
        if interrupts.stop_request:
            return pack, members[i:]
        if len(pack) == most:
            others = len(members) - i
            print_line(f"{most} members as one model, limited by {limit}; {others} more of this kind follow")
            return pack, members[i:]
        sessions.enter_context(member).start(interrupts, loaded)
        if member.interrupted:
            raise member.interrupted
        if member.batch is not None:
            pack.append(member)
            if len(pack) == 1 and i + 1 < len(members):
                fitting, memory = _members_that_fit(member)
                most, limit = min((most, limit), (fitting, memory), key=lambda each: each[0])
    if len(pack) > 1:
        print_line(f"{len(pack)} members as one model")
    return pack, []


def _members_that_fit(member: Member) -> tuple[int, str]:
    """How many members like this one fit into the free memory, and why."""
    from vae_cli.engine.memory import members_that_fit

    assert member.session is not None
    count, each, free = members_that_fit(member.session.state)
    return count, f"memory: about {each / 1e9:.2g} GB each, {free / 1e9:.2g} GB are free"


def _train(pack: list[Member], interrupts: Interrupts) -> None:
    """Make the steps of all members until each has ended."""
    locksteps, before = in_lockstep(pack), 0
    while running := sum(member.batch is not None for member in pack):
        if running != before and pack[0].job.call.stop_reason():  # a member failed, and fail_fast is true
            interrupts.stop_request = "end"  # the others save themselves
        before = running
        for lockstep in locksteps:
            lockstep.step()


def print_line(text: str) -> None:
    """Print a line about the packed sweep, above the progress bars."""
    from tqdm import tqdm

    tqdm.write(f"{'packed':10} {text}")
