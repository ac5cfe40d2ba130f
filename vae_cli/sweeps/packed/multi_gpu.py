"""A packed sweep on several GPUs: of each group every process trains its share, as if there were no other."""

import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

from vae_cli.errors import Interrupted
from vae_cli.sweeps.monitor import MONITORS
from vae_cli.sweeps.packed.scheduler import Member, groups, say, train_all
from vae_cli.sweeps.processes import beside
from vae_cli.sweeps.resources import gpus


def spread(members: Sequence[Member], max_members: int | None, processes: int | None) -> None:
    """Train the members in so many processes; None: one a GPU, or one.

    One is this process. Of several none is, not even for a single share: who has computed with torch should not fork.
    """
    if (processes := processes or max(1, gpus())) == 1:
        train_all(members, max_members)
        return
    shares = _dealt(members, processes)
    say(f"{len(members)} members in {len(shares)} processes{', one a GPU' if gpus() >= len(shares) else ''}")
    works = [partial(_train, share, max_members, i, len(shares)) for i, share in enumerate(shares)]
    answers = beside(works)
    for share, (answer, _) in zip(shares, answers, strict=True):
        if answer:  # else its process was killed, as its members' folders say
            for member, value in zip(share, answer["objective_values"], strict=True):
                member.objective_value = value
    if any(answer and answer["interrupted"] for answer, _ in answers):
        raise Interrupted("interrupted; the same command goes on with the sweep")


def _dealt(members: Sequence[Member], processes: int) -> list[list[Member]]:
    """Every group dealt out evenly; each next one to those who have least."""
    shares: list[list[Member]] = [[] for _ in range(processes)]
    for group in groups(members):
        for i, share in enumerate(sorted(shares, key=len)):
            share += group[i::processes]
    return [share for share in shares if share]


def _train(share: list[Member], max_members: int | None, place: int, places: int) -> dict[str, Any]:
    """In a process of its own, on its own GPU or its own part of the cores."""
    MONITORS.clear()  # that of the process that the user started sees these members, too
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if count := gpus():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count)))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[place % count]
    else:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // places)))
    interrupted = False
    try:
        train_all(share, max_members)
    except KeyboardInterrupt:  # Interrupted is one
        interrupted = True
    return {"objective_values": [member.objective_value for member in share], "interrupted": interrupted}
