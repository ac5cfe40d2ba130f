"""Trains a packed sweep in several processes. Each takes its share of every group, and a GPU or a part of the cores."""

import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

from vae_cli.config.hardware import core_count, gpu_count
from vae_cli.errors import Interrupted
from vae_cli.sweeps.monitor import MONITORS, SWEEP_INTERRUPTED
from vae_cli.sweeps.packed.compatible import compatible_groups
from vae_cli.sweeps.packed.member import Member
from vae_cli.sweeps.packed.scheduler import print_line, train_members
from vae_cli.sweeps.processes import run_in_forks


def train_in_processes(members: Sequence[Member], max_members: int | None, processes: int | None) -> None:
    """Train the members in this many processes. `processes=None` means one for each GPU, or one.

    A single process is this one. Several are forks, even if there is only one share: a process that has computed with
    torch should not fork afterwards, and the next batch of the sweep would make it do so.
    """
    processes = processes or max(1, gpu_count())
    if processes == 1:
        train_members(members, max_members)
        return
    shares = _shares(members, processes)
    on_gpus = ", each on its own GPU" if gpu_count() >= len(shares) else ""
    print_line(f"{len(members)} members in {len(shares)} processes{on_gpus}")
    works = [partial(_train_share, share, max_members, i, len(shares)) for i, share in enumerate(shares)]
    results = [result for result, _ in run_in_forks(works)]
    for share, result in zip(shares, results, strict=True):
        if result:  # a killed process has none; the locks of its members name it
            for member, value in zip(share, result["objective_values"], strict=True):
                member.objective_value = value
    if any(result and result["interrupted"] for result in results):
        raise Interrupted(SWEEP_INTERRUPTED)


def _shares(members: Sequence[Member], processes: int) -> list[list[Member]]:
    """Every group divided evenly. The shares with the fewest members so far receive first."""
    shares: list[list[Member]] = [[] for _ in range(processes)]
    for group in compatible_groups(members):
        for i, share in enumerate(sorted(shares, key=len)):
            share += group[i::processes]
    return [share for share in shares if share]


def _train_share(share: list[Member], max_members: int | None, number: int, count: int) -> dict[str, Any]:
    """Train one of `count` shares in a process of its own. Returns the results in a form that JSON can hold."""
    MONITORS.clear()  # the monitor of the user's process watches these members
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.default_int_handler)
    _take_device(number, count)
    interrupted = False
    try:
        train_members(share, max_members)
    except KeyboardInterrupt:
        interrupted = True
    return {"objective_values": [member.objective_value for member in share], "interrupted": interrupted}


def _take_device(number: int, count: int) -> None:
    """Make one GPU visible to this process; without a GPU, take an equal part of the cores."""
    if gpus := gpu_count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % gpus]
    else:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, core_count() // count)))
