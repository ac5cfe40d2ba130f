"""Members of a sweep that train beside each other in this process, each from its lock to its summary as if it were
alone, but for its steps: those of all are made as one. Needs no torch before a member has a step to make."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from vae_cli.config.compose import accept
from vae_cli.config.diff import pack_signature
from vae_cli.errors import Interrupted, UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.folder import sweep_of
from vae_cli.sweeps.job import Told, contained, dated
from vae_cli.training.interrupts import Signals
from vae_cli.training.steps import Asking, Shared

if TYPE_CHECKING:
    from vae_cli.engine.runtimes import Runner
    from vae_cli.training.trainer import Steps


@dataclass(eq=False)
class Member:
    """One member, and where it is on its way."""

    cfg: DictConfig
    hydra: Any  # what HydraConfig holds for it
    folder: RunFolder
    told: Told = None
    steps: Asking[Told] | None = None
    wish: "Steps | None" = None  # what it waits for; None before its start and after its end
    since: float = 0.0
    interrupted: KeyboardInterrupt | None = None
    log: logging.FileHandler | None = field(default=None, repr=False)

    def start(self, shared: Shared) -> None:
        self.log = dated(self.folder.log_file)
        self.steps = contained(self.cfg, self.folder, shared)
        self.go_on()

    def go_on(self, rows: Any = None, error: BaseException | None = None) -> None:
        """To its next step or to its end; with an error that met the step, to what it makes of it."""
        assert self.steps is not None and self.log is not None
        HydraConfig.instance().cfg = self.hydra
        logging.getLogger().handlers = [self.log]
        try:
            self.wish = self.steps.throw(error) if error else self.steps.send(rows)
        except StopIteration as end:
            self.told, self.wish = end.value, None
        except KeyboardInterrupt as interrupted:
            self.interrupted, self.wish = interrupted, None
        if self.wish is None:
            self.log.close()
        self.since = time.perf_counter()


def train_all(members: Sequence[Member], max_members: int | None) -> None:
    """Train the members, one group after another."""
    data: dict[str, Any] = {}
    with _their_own_logs():
        for group in groups(members):
            while group:
                with Signals() as signals:
                    group = _train(group, Shared(signals, data), max_members)


def groups(members: Sequence[Member]) -> list[list[Member]]:
    """Those that can share a program, in the order of the first of each. Whoever has finished or has a configuration
    that is refused is alone; and whoever shares a folder with another, as two equal trials of a search, follows it."""
    found: dict[object, list[Member]] = defaultdict(list)
    times: Counter[RunFolder] = Counter()
    for member in members:
        times[member.folder] += 1
        alone = f"member {id(member)}"
        try:
            kind = alone if member.folder.finished(member.cfg.epochs) else pack_signature(accept(member.cfg))
        except UserError:
            kind = alone
        found[kind, times[member.folder]].append(member)
    for group in found.values():
        if len(group) > 1:  # the largest code first, for it tells how much memory each may take
            group.sort(key=lambda member: -member.cfg.latent.code_size)
    return list(found.values())


def _train(members: list[Member], shared: Shared, max_members: int | None) -> list[Member]:
    """Start as many members as fit into memory, train them to their ends; whoever did not fit is left for the next
    time. Raises Interrupted once all have saved themselves."""
    started: list[Member] = []
    try:
        left = _start(started, members, shared, max_members)
        lanes, count = _lanes(started), 0
        while running := [member for member in started if member.wish]:
            if len(running) != count and sweep_of(members[0].folder).stop_reason():  # by fail_fast
                shared.signals.wish = "end"  # the others save themselves
            count = len(running)
            for lane in lanes:
                lane.step()
    except KeyboardInterrupt as interrupted:  # a second signal, or one that no step was there to end with
        for member in started:
            if member.wish:
                member.go_on(error=interrupted)
        raise
    if shared.signals.received:
        raise Interrupted("interrupted; the same command goes on with the sweep")
    return left


def _start(
    started: list[Member], members: list[Member], shared: Shared, max_members: int | None
) -> list[Member]:
    """Let members come to their first step, as many as fit; returns the rest. The first one tells how large they are."""
    fitting, why = max_members or len(members), "hydra.launcher.max_members"
    for i, member in enumerate(members):
        if shared.signals.wish:
            return members[i:]
        if len(started) == fitting:
            say(f"{fitting} members as one model, by {why}; {len(members) - i} more of their kind follow")
            return members[i:]
        member.start(shared)
        if member.interrupted:
            raise member.interrupted
        if member.wish:
            started.append(member)
            if len(started) == 1 and len(members) > 1:
                from vae_cli.engine.packed import room

                count, each, free = room(member.wish.trainer.state)
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
    """Members that ask for as many steps on as many images: see `_place`."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.runner: Runner | None = None

    def step(self) -> None:
        if not self.members:
            return
        began = time.perf_counter()
        try:
            rows = self._rows()
        except Exception as error:
            for member in self.members:
                member.go_on(error=error)
        else:
            together = time.perf_counter() - began
            for member, own in zip(self.members, rows, strict=True):
                assert member.wish is not None
                others = time.perf_counter() - member.since - together  # their validations, say
                member.wish.trainer.mark += others
                member.go_on(own)
        if any(not member.wish for member in self.members):
            self.members, self.runner = [member for member in self.members if member.wish], None

    def _rows(self) -> Sequence[Any]:
        from vae_cli.engine.packed import PackedRuns

        wishes = [member.wish for member in self.members if member.wish]
        if len(wishes) == 1:
            return [wishes[0]()]
        states = [wish.trainer.state for wish in wishes]
        self.runner = self.runner or states[0].experiment.runtime(PackedRuns(states))
        return self.runner([wish.batch for wish in wishes]).unbind(1)


def _lanes(members: Sequence[Member]) -> list[Lockstep]:
    at: dict[object, list[Member]] = defaultdict(list)
    for member in members:
        if member.wish:
            at[_place(member.wish)].append(member)
    return [Lockstep(lane) for lane in at.values()]


def _place(wish: "Steps") -> object:
    """At which batch of an epoch, for its last one is smaller, and a resumed run may be anywhere. Where several steps are
    made at once, also at which step between two log lines: they end there."""
    trainer = wish.trainer
    several = trainer.runner.steps > 1
    between = (trainer.settings.log_every, trainer.until_logged()) if several else ()
    return trainer.state.step % trainer.steps_per_epoch, *between


@contextmanager
def _their_own_logs() -> Iterator[None]:
    """Each member's lines go to its train.log alone; the console has one line for each member."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
