"""Trains all members of a packed sweep in this process, one group after another. Imports torch with the first step."""

from collections.abc import Sequence
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
                group = _train_group(group, interrupts, loaded, max_members)


def _train_group(
    members: list[Member], interrupts: Interrupts, loaded: dict[str, Any], max_members: int | None
) -> list[Member]:
    """Train as many members as fit into memory; returns the others. Raises Interrupted once all have saved themselves."""
    started: list[Member] = []
    try:
        left = _start(started, members, interrupts, loaded, max_members)
        _train(started, interrupts)
    except KeyboardInterrupt as interrupted:  # a second signal, or one that came before the first step
        for member in started:
            if member.batch is not None:
                member.fail(interrupted)
        raise
    if interrupts.received:
        raise Interrupted(SWEEP_INTERRUPTED)
    return left


def _start(
    started: list[Member],
    members: list[Member],
    interrupts: Interrupts,
    loaded: dict[str, Any],
    max_members: int | None,
) -> list[Member]:
    """Bring members to their first step, until no more fit, and add them to `started`; returns the others."""
    most, limit = max_members or len(members), "hydra.launcher.max_members"
    for i, member in enumerate(members):
        if interrupts.stop_request:
            return members[i:]
        if len(started) == most:
            say(
                f"{most} members as one model, limited by {limit}; {len(members) - i} more of this kind follow"
            )
            return members[i:]
        member.start(interrupts, loaded)
        if member.interrupted:
            raise member.interrupted
        if member.batch is not None:
            started.append(member)
            if len(started) == 1 and i + 1 < len(members):
                fitting, memory = _members_that_fit(member)
                most, limit = min((most, limit), (fitting, memory), key=lambda each: each[0])
    if len(started) > 1:
        say(f"{len(started)} members as one model")
    return []


def _members_that_fit(member: Member) -> tuple[int, str]:
    """How many members like this one the free memory takes, and why."""
    from vae_cli.engine.packed import room

    assert member.run is not None
    count, each, free = room(member.run.state)
    return count, f"memory: about {each / 1e9:.2g} GB each, {free / 1e9:.2g} GB are free"


def _train(started: list[Member], interrupts: Interrupts) -> None:
    """Make the steps of all members until each has ended."""
    groups, count = in_lockstep(started), 0
    while running := sum(member.batch is not None for member in started):
        if running != count and started[0].job.sweep.stop_reason():  # a member failed, and fail_fast is true
            interrupts.stop_request = "end"  # the others save themselves
        count = running
        for group in groups:
            group.step()


def say(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"{'packed':10} {text}")
