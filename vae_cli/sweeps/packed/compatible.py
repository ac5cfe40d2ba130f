"""Which members of a sweep can train as one model. Imports no torch."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from vae_cli.config.compose import accept
from vae_cli.config.diff import pack_signature
from vae_cli.errors import UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.packed.member import Member


def compatible_groups(members: Sequence[Member]) -> list[list[Member]]:
    """Members that can train as one model, in the order of each group's first member.

    Members of one folder, as two equal trials of a search have, come into groups that follow each other. Within a group
    the largest code comes first, because it tells how much memory each member may need.
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
        return id(member) if job.folder.finished(job.cfg.epochs) else pack_signature(accept(job.cfg))
    except UserError:
        return id(member)
