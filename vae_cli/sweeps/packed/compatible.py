"""Finds the members of a sweep that can train as one model. Imports no torch."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from vae_cli.config.compose import accept
from vae_cli.config.diff import pack_signature
from vae_cli.errors import UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.packed.member import Member


def compatible_groups(members: Sequence[Member]) -> list[list[Member]]:
    """Groups of members that can train as one model, in the order of each group's first member.

    Two equal trials of a search are members of one folder. They come into different groups, because the second one
    waits for the lock of the first. Within a group the largest code comes first: it needs the most memory, and the
    first member decides how many fit.
    """
    groups: dict[object, list[Member]] = defaultdict(list)
    earlier: Counter[RunFolder] = Counter()
    for member in members:
        folder = member.job.folder
        groups[_signature(member), earlier[folder]].append(member)
        earlier[folder] += 1
    for group in groups.values():
        if len(group) > 1:
            group.sort(key=lambda member: -member.job.cfg.latent.code_size)
    return list(groups.values())


def _signature(member: Member) -> object:
    """Equal for members that can train as one model. A member that has finished, or that is refused, is alone."""
    job = member.job
    try:
        return id(member) if job.has_finished() else pack_signature(accept(job.cfg))
    except UserError:
        return id(member)
