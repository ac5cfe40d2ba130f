"""Members of a sweep that train at the same time in this process, each in its own session; steps of those that can share
a program are made as one. Needs no torch before a member has a step to make."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vae_cli.config.compose import accept
from vae_cli.config.diff import pack_signature
from vae_cli.errors import Interrupted, UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.job import Job, ObjectiveValue, enter, objective_value
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.session import Session

if TYPE_CHECKING:
    from vae_cli.engine.runners import Runner


@dataclass(eq=False)
class Member:
    """One member, and where it is on its way."""

    job: Job
    objective_value: ObjectiveValue = None
    run: Session | None = None
    batch: Any = None  # of its next step; None before its start and after its end
    batches: Iterator[Any] = field(default_factory=lambda: iter(()))
    contexts: ExitStack = field(default_factory=ExitStack)
    interrupted: KeyboardInterrupt | None = None

    def start(self, interrupts: Interrupts, loaded: dict[str, Any]) -> None:
        with self._until_its_end():
            if run := enter(self.job, self.contexts, interrupts, loaded=loaded):
                self.run, self.batches = run, run.batches()
                self._go_on()

    def after(self, step_metrics: Any, seconds: float) -> None:
        """What is due after its step, which took so many seconds together with those of others."""
        assert self.run is not None
        with self._until_its_end():
            self.run.after(step_metrics, seconds)
            self._go_on()

    def fail(self, error: BaseException) -> None:
        with self._until_its_end():
            raise error

    def _go_on(self) -> None:
        """To its next step or to its end."""
        assert self.run is not None
        self.batch = next(self.batches, None)
        if self.batch is None:
            self.objective_value = objective_value(self.run.finish(), self.job.cfg.returns)
            self.contexts.close()

    @contextmanager
    def _until_its_end(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.batch = None
            try:
                if not self.contexts.__exit__(type(error), error, error.__traceback__):
                    raise
            except KeyboardInterrupt as interrupted:
                self.interrupted = interrupted


def train_all(members: Sequence[Member], max_members: int | None) -> None:
    """Train the members, one group after another."""
    loaded: dict[str, Any] = {}
    for group in groups(members):
        while group:
            with Interrupts() as interrupts:
                group = _train(group, interrupts, loaded, max_members)


def groups(members: Sequence[Member]) -> list[list[Member]]:
    """Those that can share a program, in the order of the first of each. Whoever has finished or has a configuration
    that is refused is alone; and whoever shares a folder with another, as two equal trials of a search, follows it."""
    found: dict[object, list[Member]] = defaultdict(list)
    times: Counter[RunFolder] = Counter()
    for member in members:
        times[member.job.folder] += 1
        alone = f"member {id(member)}"
        try:
            kind = (
                alone
                if member.job.folder.finished(member.job.cfg.epochs)
                else pack_signature(accept(member.job.cfg))
            )
        except UserError:
            kind = alone
        found[kind, times[member.job.folder]].append(member)
    for group in found.values():
        if len(group) > 1:  # the largest code first, for it tells how much memory each may take
            group.sort(key=lambda member: -member.job.cfg.latent.code_size)
    return list(found.values())


def _train(
    members: list[Member], interrupts: Interrupts, loaded: dict[str, Any], max_members: int | None
) -> list[Member]:
    """Start as many members as fit into memory, train them to their ends; whoever did not fit is left for the next
    time. Raises Interrupted once all have saved themselves."""
    started: list[Member] = []
    try:
        left = _start(started, members, interrupts, loaded, max_members)
        lanes, count = _lanes(started), 0
        while running := [member for member in started if member.batch is not None]:
            if len(running) != count and members[0].job.sweep.stop_reason():  # by fail_fast
                interrupts.stop_request = "end"  # the others save themselves
            count = len(running)
            for lane in lanes:
                lane.step()
    except KeyboardInterrupt as interrupted:  # a second signal, or one that no step was there to end with
        for member in started:
            if member.batch is not None:
                member.fail(interrupted)
        raise
    if interrupts.received:
        raise Interrupted("interrupted; the same command goes on with the sweep")
    return left


def _start(
    started: list[Member],
    members: list[Member],
    interrupts: Interrupts,
    loaded: dict[str, Any],
    max_members: int | None,
) -> list[Member]:
    """Let members come to their first step, as many as fit; returns the rest. The first one tells how large they are."""
    fitting, why = max_members or len(members), "hydra.launcher.max_members"
    for i, member in enumerate(members):
        if interrupts.stop_request:
            return members[i:]
        if len(started) == fitting:
            say(f"{fitting} members as one model, by {why}; {len(members) - i} more of their kind follow")
            return members[i:]
        member.start(interrupts, loaded)
        if member.interrupted:
            raise member.interrupted
        if member.batch is not None:
            started.append(member)
            if len(started) == 1 and len(members) > 1:
                from vae_cli.engine.memory import members_that_fit

                assert member.run is not None
                count, each, free = members_that_fit(member.run.state)
                if count < fitting:
                    fitting = count
                    why = f"memory: about {each / 1e9:.2g} GB each, {free / 1e9:.2g} GB are free"
    if len(started) > 1:
        say(f"{len(started)} members as one model")
    return []


def say(what: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"{'packed':10} {what}")


class Lockstep:
    """Members whose batches have the same sizes until their ends: see `Session.position`."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.runner: Runner | None = None

    def step(self) -> None:
        if not self.members:
            return
        began = time.perf_counter()
        try:
            each = self._step_metrics()
        except Exception as error:
            for member in self.members:
                member.fail(error)
        else:
            seconds = time.perf_counter() - began
            for member, own in zip(self.members, each, strict=True):
                member.after(own, seconds)
        if any(member.batch is None for member in self.members):
            self.members, self.runner = [m for m in self.members if m.batch is not None], None

    def _step_metrics(self) -> Sequence[Any]:
        from vae_cli.engine.packed import PackedRuns

        runs = [member.run for member in self.members if member.run]
        if len(runs) == 1:
            return [runs[0].step(self.members[0].batch)]
        states = [run.state for run in runs]
        self.runner = self.runner or runs[0].runtime(PackedRuns(states))
        return self.runner([member.batch for member in self.members]).unbind(1)


def _lanes(members: Sequence[Member]) -> list[Lockstep]:
    at: dict[object, list[Member]] = defaultdict(list)
    for member in members:
        if member.batch is not None and member.run:
            at[member.run.position()].append(member)
    return [Lockstep(lane) for lane in at.values()]
