"""Members that train as one model are the members that they are alone.

In float64 to 1e-9 relative to the largest number of a tensor. In float32 to 1e-3 and without Adam, which divides what
may be rounding alone by its own size: a weight whose gradient cancels then moves by the learning rate, either way.
StepInputs and data order are equal bit for bit.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from vae_cli.build import build
from vae_cli.config.compose import accept, config_folder
from vae_cli.config.diff import pack_signature
from vae_cli.engine import packed
from vae_cli.engine.state import State
from vae_cli.errors import Interrupted
from vae_cli.runs import checkpoint, lock
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.packed import multi_gpu
from vae_cli.sweeps.packed.scheduler import Member, groups, train_all
from vae_cli.training import final
from vae_cli.training.run import run
from vae_cli.training.trainer import Trainer

SUBSET = Path(__file__).parents[1] / "data"
SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=50", "data.validation_size=20", "data.test_size=20",  # 7 batches, the last of 2 images
    "network.hidden=[8]", "latent.code_size=3", "batch_size=8", "epochs=3", "log_every=3", "nll_samples=4",
    "optimizer.lr=0.01", "checkpoint.minutes=1000", "precision=float64",
)  # fmt: skip
BERNOULLI = (*SMALL, "latent=bernoulli")
UNLIKE = [
    ("seed=1", "latent.temperature=0.3"),
    ("seed=2", "optimizer.lr=0.003", "objective.beta=0.5", "objective.warmup_steps=9", "epochs=2"),
    ("seed=3", "latent.temperature=1.5", "estimator.anneal_rate=0.05", "gradient_clip_norm=3", "log_every=2",
     "schedule=cosine", "optimizer=sgd", "corruption=masking", "corruption.fraction=0.2"),
]  # fmt: skip
KINDS = {
    "bernoulli": BERNOULLI,
    "gaussian": (*SMALL, "latent=gaussian", "objective.samples=2", "objective.free_bits=0.05"),
    "straight through": (*BERNOULLI, "estimator=straight_through"),
    "reinforce, its baseline in buffers": (*BERNOULLI, "estimator=reinforce"),
    "deterministic": (*SMALL, "latent=deterministic", "likelihood=unit_gaussian"),
    "convolutions": (*BERNOULLI, "network=conv", "network.channels=[4,8]", "network.hidden=12"),
}  # fmt: skip
PARTS = {
    "bernoulli": UNLIKE,
    "gaussian": [("seed=1",), ("seed=2", "objective.beta=0.5"), ("seed=3", "optimizer=adamw")],
}


@pytest.fixture(scope="module", autouse=True)
def hydra_config() -> Iterator[None]:
    before = torch.get_default_dtype()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last test looks at whole folders; here they would take most of the time."""
    monkeypatch.setattr(final, "draw", lambda parts, folder: None)


@pytest.fixture(autouse=True)
def hydra_state() -> Iterator[None]:
    before = HydraConfig.instance().cfg
    yield
    HydraConfig.instance().cfg = before


def member(folder: Path, *overrides: str) -> Member:
    """As the launcher composes it."""
    cfg = hydra.compose("config", ["hydra/launcher=packed", *overrides], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = "MULTIRUN"
        cfg.hydra.job.id = cfg.hydra.job.num = 0
        cfg.hydra.runtime.output_dir = str(folder)
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return Member(Job(own, cfg.hydra, RunFolder(folder), "packed"))


def together_in(sweep: Path, members: list[tuple[str, ...]], most: int | None = None) -> list[Path]:
    folders = [sweep / str(i) for i in range(len(members))]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    train_all([member(*each) for each in in_folders(folders, members)], most)
    return folders


def in_folders(folders: list[Path], members: list[tuple[str, ...]]) -> list[tuple[Any, ...]]:
    return [(folder, *overrides) for folder, overrides in zip(folders, members, strict=True)]


def alone_in(sweep: Path, members: list[tuple[str, ...]]) -> list[Path]:
    folders = [sweep / str(i) for i in range(len(members))]
    for folder, *overrides in in_folders(folders, members):
        alone_at(folder, *overrides)
    return folders


def alone_at(folder: Path, *overrides: str) -> None:
    cfg = hydra.compose("config", list(overrides))
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"config": cfg, "hydra": OmegaConf.create(), "overrides": OmegaConf.create(list(overrides))}
    RunFolder(folder).record(**{name: OmegaConf.to_yaml(part) for name, part in texts.items()})
    run(accept(cfg), folder)


def assert_equal(a: Any, b: Any, tolerance: float, where: str = "") -> None:
    """Keys and types equal, tensors and numbers to a tolerance relative to the largest number."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], tolerance, f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, tolerance, f"{where}[{i}]")
    elif isinstance(a, torch.Tensor) and a.is_floating_point():
        assert a.shape == b.shape and a.dtype == b.dtype, where
        largest = max(a.abs().max().item(), 1e-12) if a.numel() else 1
        assert (a - b).abs().max().item() <= tolerance * largest if a.numel() else True, where
        assert a.untyped_storage().nbytes() == a.nbytes, f"{where} has brought other members' numbers"
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=tolerance, abs=tolerance), where
    else:
        assert a == b, where


CLOCKS = ("examples_per_second", "seconds", "wall_seconds")


def contents(folder: Path) -> dict[str, Any]:
    """All that a run folder says, but for what a clock says."""
    told = {file.name: checkpoint.load(file) for file in (folder / "checkpoints").glob("*.pt")}
    for state in told.values():
        state.pop("seconds")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((folder / "summary.json").read_text())
    for each in (*lines, summary):
        for clock in CLOCKS:
            each.pop(clock, None)
    return told | {"metrics": lines, "summary": summary}


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the stacks that were made."""
    sizes: list[int] = []
    make = packed.PackedRuns.__init__

    def counted(stack: packed.PackedRuns, states: list[State]) -> None:
        sizes.append(len(states))
        make(stack, states)

    monkeypatch.setattr(packed.PackedRuns, "__init__", counted)
    return sizes


THREE = [("seed=1",), ("seed=2", "optimizer.lr=0.0003"), ("seed=3", "objective.beta=0.5")]
EXACT = ("float64", 1e-9, ())
ROUNDED = ("float32", 1e-3, ("optimizer=sgd", "optimizer.lr=0.001"))


RECORDED = ("float64", 1e-9, ("runtime=graph",))


@pytest.mark.parametrize(
    "precision, tolerance, more", [EXACT, RECORDED, ROUNDED], ids=["", "recorded", "float32"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_three_unlike_members_are_their_solo_runs(tmp_path, stacks, kind, precision, tolerance, more):
    """Parameters, optimizers, generators, every logged figure and the summary."""
    ways = THREE if precision == "float32" else PARTS.get(kind, THREE)
    members = [(*KINDS[kind], f"precision={precision}", *more, *way) for way in ways]
    alone, packed_ = alone_in(tmp_path / "alone", members), together_in(tmp_path / "packed", members)
    assert stacks[0] == 3
    for a, b in zip(alone, packed_, strict=True):
        assert_equal(contents(a), contents(b), tolerance)
        assert_equal(contents(b), contents(b), 0)


def test_dynamic_binarization_is_drawn_for_each(tmp_path, stacks):
    mnist = (
        "data=binarized_mnist",
        f"data.root={SUBSET}",
        "data.validation_size=100",
        "data.limit=50",
        *BERNOULLI[7:],
    )
    members = [(*mnist, "seed=1"), (*mnist, "seed=2")]
    alone, packed_ = alone_in(tmp_path / "alone", members), together_in(tmp_path / "packed", members)
    assert stacks == [2]
    for a, b in zip(alone, packed_, strict=True):
        assert_equal(contents(a), contents(b), 1e-9)


def test_a_member_that_diverges_leaves_the_others_as_they_are(tmp_path, stacks):
    good = [(*BERNOULLI, "seed=1"), (*BERNOULLI, "seed=2")]
    bad = (*BERNOULLI, "seed=3", "optimizer.lr=1e200", "optimizer=sgd")
    alone = alone_in(tmp_path / "alone", good)
    first, diverged, second = together_in(tmp_path / "packed", [good[0], bad, good[1]])
    assert json.loads((diverged / "summary.json").read_text())["status"] == "diverged"
    assert stacks == [3, 2]
    for a, b in zip(alone, (first, second), strict=True):
        assert_equal(contents(a), contents(b), 1e-9)


@pytest.mark.parametrize("runtime", ["eager", "graph"])
@pytest.mark.parametrize("kind", [*KINDS, "linear", "gaussian reinforce"])
def test_members_of_several_code_sizes_are_their_solo_runs(tmp_path, stacks, kind, runtime):
    """Filled up with zeros to the largest, which neither comes first nor last. Weight decay pulls at every weight."""
    others = {
        "linear": (*SMALL, "network.hidden=[]"),
        "gaussian reinforce": (
            *SMALL,
            "estimator=reinforce",
            "objective.samples=3",
            "estimator.baseline=leave_one_out",
        ),
    }
    fixed = (*(KINDS | others)[kind], f"runtime={runtime}", "objective.free_bits=0", "optimizer=adamw",
             "optimizer.weight_decay=0.1")  # fmt: skip
    members = [
        (*fixed, f"latent.code_size={size}", f"seed={size}", f"objective.beta={beta}")
        for size, beta in ((2, 1), (5, 0.5), (3, 2), (5, 1))
    ]
    alone, packed_ = alone_in(tmp_path / "alone", members), together_in(tmp_path / "packed", members)
    assert stacks == [4]
    for a, b in zip(alone, packed_, strict=True):
        assert_equal(contents(a), contents(b), 1e-9)


def test_free_bits_keep_code_sizes_apart(tmp_path, stacks):
    """They are granted to units that a smaller code does not have."""
    sizes = [(*BERNOULLI, "objective.free_bits=0.1", f"latent.code_size={size}") for size in (2, 3)]
    together_in(tmp_path, [(*each, f"seed={seed}") for each in sizes for seed in (1, 2)])
    assert stacks == [2, 2]


def test_what_differs_in_shape_or_code_does_not_share(tmp_path):
    def kind(*overrides: str) -> str:
        return pack_signature(accept(hydra.compose("config", [*BERNOULLI, *overrides])))

    for shared in (
        "seed=5",
        "optimizer.lr=1",
        "optimizer=rmsprop",
        "epochs=9",
        "name=x",
        "objective.beta=3",
        "latent.code_size=4",
    ):
        assert kind(shared) == kind()
    for other in (
        "network.hidden=[9]", "network.activation=elu", "batch_size=9", "data.train_size=51",
        "data.seed=5", "objective.samples=2", "objective.free_bits=1", "estimator=reinforce", "precision=float32",
        "likelihood=continuous_bernoulli", "device=cpu",
        "runtime=eager",
    ):  # fmt: skip
        assert kind(other) != kind(), other


# --- interruption, resumption, failure -----------------------------------------------------------------------------


def interrupted_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """SIGTERM within that step of a stack."""
    stacked = packed.PackedRuns.update

    def disturbed(stack: packed.PackedRuns, *given: Any) -> torch.Tensor:
        rows = stacked(stack, *given)
        if stack.states[0].step == step - 1:  # counted once the step is whole
            signal.raise_signal(signal.SIGTERM)
        return rows

    monkeypatch.setattr(packed.PackedRuns, "update", disturbed)


TWO = [(*BERNOULLI, "seed=1"), (*BERNOULLI, "seed=2", "optimizer.lr=0.003")]


def test_an_interruption_saves_every_member_and_any_way_goes_on(tmp_path, stacks):
    """The first goes on alone, then both as members again: the one that has finished trains no more."""
    alone = alone_in(tmp_path / "alone", TWO)
    with pytest.MonkeyPatch.context() as patch:
        interrupted_at(patch, 10)
        with pytest.raises(Interrupted):
            together_in(tmp_path / "packed", TWO)
    for i in (0, 1):
        assert json.loads((tmp_path / f"packed/{i}/summary.json").read_text())["status"] == "interrupted"
        assert checkpoint.load(tmp_path / f"packed/{i}/checkpoints/last.pt")["step"] == 10
        assert lock.owner(tmp_path / f"packed/{i}") is None
    alone_in(tmp_path / "packed", TWO[:1])
    packed_ = together_in(tmp_path / "packed", TWO)
    assert stacks == [2]
    for a, b in zip(alone, packed_, strict=True):
        assert_equal(contents(a), contents(b), 1e-9)


def test_members_that_were_interrupted_at_different_steps_share_where_their_batches_do(tmp_path, stacks):
    """Two are one epoch apart, the third is at another batch of an epoch, and comes from a solo run."""
    members = [*TWO, (*BERNOULLI, "seed=3")]
    alone = alone_in(tmp_path / "alone", members)
    for i, step in enumerate((3, 10, 12)):
        with pytest.MonkeyPatch.context() as patch:
            after = Trainer.after

            def disturbed(
                trainer: Trainer, *given: Any, step: int = step, after: Callable[..., None] = after
            ) -> None:
                after(trainer, *given)
                if trainer.state.step == step:
                    signal.raise_signal(signal.SIGTERM)

            patch.setattr(Trainer, "after", disturbed)
            with pytest.raises(Interrupted):
                alone_at(tmp_path / f"packed/{i}", *members[i])
    packed_ = together_in(tmp_path / "packed", members)
    assert stacks == [2]
    for a, b in zip(alone, packed_, strict=True):
        assert_equal(contents(a), contents(b), 1e-9)


def test_a_second_signal_ends_all_at_once_and_every_folder_says_so(tmp_path, monkeypatch):
    def twice(stack: packed.PackedRuns, *given: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(packed.PackedRuns, "update", twice)
    with pytest.raises(KeyboardInterrupt):
        together_in(tmp_path, TWO)
    for i in (0, 1):
        assert json.loads((tmp_path / f"{i}/summary.json").read_text())["status"] == "interrupted"
        assert lock.owner(tmp_path / str(i)) is None


def test_what_fails_in_the_shared_step_is_a_failure_of_each(tmp_path, monkeypatch):
    def fails(stack: packed.PackedRuns, *given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(packed.PackedRuns, "update", fails)
    for folder in together_in(tmp_path, TWO):
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["status"], summary["error"]) == ("failed", "out of memory")
        assert "out of memory" in (folder / "train.log").read_text()


def test_two_members_of_one_folder_follow_each_other(tmp_path):
    """As two equal trials of a search: the second waits for nobody."""
    members = [member(tmp_path / "same", *TWO[0]) for _ in range(2)]
    assert [len(group) for group in groups(members)] == [1, 1]


# --- memory ----------------------------------------------------------------------------------------------------------


def test_a_group_that_does_not_fit_is_split_and_the_console_says_so(tmp_path, stacks, monkeypatch, capsys):
    members = [(*BERNOULLI, f"seed={i}") for i in range(5)]
    monkeypatch.setattr(packed, "_free", lambda device: 0)
    _, each, _ = packed.room(
        State(build(accept(hydra.compose("config", list(BERNOULLI)))), torch.Generator())
    )
    monkeypatch.setattr(packed, "_free", lambda device: int(2.2 * each / packed.SHARE))
    folders = together_in(tmp_path, members)
    assert stacks == [2, 2] and all((folder / "summary.json").exists() for folder in folders)
    assert "2 members as one model, by memory" in capsys.readouterr().out


def test_the_estimate_is_of_the_order_of_what_is_allocated(tmp_path):
    """Parameters alone are a lower bound; a hundred times that would be no estimate for a batch of 8."""
    state = State(build(accept(hydra.compose("config", list(BERNOULLI)))), torch.Generator())
    size = sum(p.nbytes for p in state.experiment.model.parameters())
    count, each, free = packed.room(state)
    assert 5 * size < each < 100 * size and count == int(packed.SHARE * free / each)


# --- several processes ---------------------------------------------------------------------------------------------


@pytest.fixture
def four(tmp_path: Path) -> Iterator[list[Member]]:
    """One thread each: OpenMP's others, which this process has started, are not in its forks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folders = [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        folder.mkdir()
    yield [member(folder, *BERNOULLI, f"seed={i}") for i, folder in enumerate(folders)]
    torch.set_num_threads(before)


def test_each_group_is_dealt_out_to_processes(tmp_path, four, capsys):
    """What they tell a search comes back; each member is its solo run."""
    multi_gpu.spread(four, None, processes=2)
    assert "4 members in 2 processes" in capsys.readouterr().out
    for i, each in enumerate(four):
        alone_at(tmp_path / f"alone/{i}", *BERNOULLI, f"seed={i}")
        assert_equal(contents(tmp_path / f"alone/{i}"), contents(each.job.folder.path), 1e-9)
        assert (
            each.objective_value == json.loads(each.job.folder.summary_file.read_text())["validation"]["elbo"]
        )


def test_a_process_that_is_killed_ends_its_share_alone(four, monkeypatch):
    def killed(share: list[Member], most: int | None) -> None:
        if four[0] in share:
            os.kill(os.getpid(), signal.SIGKILL)
        train_all(share, most)

    monkeypatch.setattr(multi_gpu, "train_all", killed)
    multi_gpu.spread(four, None, processes=2)
    finished = [each.job.folder.summary_file.exists() for each in four]
    assert finished == [False, True, False, True] == [each.objective_value is not None for each in four]


def test_each_process_has_a_gpu_of_its_own(four, monkeypatch, tmp_path):
    """The third of those that this process may use, say, and of each group as many members as the others, or one less."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")

    def seen(share: list[Member], most: int | None) -> None:
        (tmp_path / os.environ["CUDA_VISIBLE_DEVICES"]).write_text(str(len(share)))

    monkeypatch.setattr(multi_gpu, "train_all", seen)
    multi_gpu.spread(four, None, processes=None)
    assert sorted((tmp_path / gpu).read_text() for gpu in "457") == ["1", "1", "2"]


def test_a_signal_to_the_command_saves_the_members_of_all_processes(tmp_path):
    words = [sys.executable, "-m", "vae_cli", "-m", "hydra/launcher=packed", "hydra.launcher.processes=2", "name=s",
             "seed=1,2,3", *BERNOULLI[:9], "epochs=100000", "checkpoint.minutes=1000", "device=cpu"]  # fmt: skip
    sweep = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("outputs/s/*/metrics.jsonl"))) < 3 or not all(
        file.read_text() for file in tmp_path.glob("outputs/s/*/metrics.jsonl")
    ):
        assert time.monotonic() < deadline and sweep.poll() is None, sweep.stdout and sweep.stdout.read()
        time.sleep(0.2)
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, output
    statuses = [json.loads(file.read_text())["status"] for file in tmp_path.glob("outputs/s/*/summary.json")]
    assert statuses == ["interrupted"] * 3, output


# --- the command -----------------------------------------------------------------------------------------------------

SWEEP = ["name=s", "latent=bernoulli", "seed=1,2", "optimizer.lr=0.001,1e18", "log_every=1", "network.hidden=[8]",
         "epochs=3", "nll_samples=5", "data.train_size=60", "data.validation_size=20", "data.test_size=20"]  # fmt: skip


def files(sweep: Path) -> dict[str, set[str]]:
    def name(file: Path) -> str:
        return "events" if file.name.startswith("events.") else str(file)

    return {
        folder.name: {name(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        for folder in sweep.glob("*/")
    }


def test_a_packed_sweep_leaves_what_an_ordinary_one_leaves_and_trains_once(command, tmp_path):
    """Also its exit status and its last lines; the second call trains nothing, whoever makes it."""
    calls = {}
    for launcher in ("basic", "packed"):
        (tmp_path / launcher).mkdir()
        calls[launcher] = command(
            "vae-train", "-m", f"hydra/launcher={launcher}", *SWEEP, cwd=tmp_path / launcher
        )
        assert calls[launcher].returncode == 1 and calls[launcher].stderr == ""
        assert (
            calls[launcher].stdout.count("\n  finished ")
            == calls[launcher].stdout.count("\n  diverged ")
            == 2
        )
    assert "packed     4 members as one model" in calls["packed"].stdout
    assert files(tmp_path / "basic/outputs/s") == files(tmp_path / "packed/outputs/s")
    for log in (tmp_path / "packed/outputs/s").glob("*/train.log"):
        lines = (tmp_path / "basic/outputs/s" / log.parent.name / "train.log").read_text().splitlines()
        assert len(log.read_text().splitlines()) == len(lines)
    before = {file: file.read_bytes() for file in (tmp_path / "packed").rglob("summary.json")}
    again = command("vae-train", "-m", "hydra/launcher=packed", *SWEEP, cwd=tmp_path / "packed")
    assert again.returncode == 1 and again.stdout.count("\nrefused: ") == 2
    assert {file: file.read_bytes() for file in before} == before
    compared = command("vae-compare", "outputs/s", cwd=tmp_path / "packed")
    assert compared.returncode == 0, compared.stderr


def test_fail_fast_saves_the_others(command, tmp_path):
    sweep = [*SWEEP, "optimizer.lr=0.001,1e18", "seed=1", "fail_fast=true", "epochs=50"]
    done = command("vae-train", "-m", "hydra/launcher=packed", *sweep, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    statuses = [json.loads(file.read_text())["status"] for file in tmp_path.rglob("summary.json")]
    assert sorted(statuses) == ["diverged", "interrupted"]


def test_a_sweep_that_has_finished_is_seen_without_torch(tmp_path):
    """Seconds matter where the same command is repeated until all is done."""
    (folder := tmp_path / "0").mkdir()
    (folder / "summary.json").write_text(
        json.dumps({"status": "finished", "epochs": 3, "validation": {"elbo": -1}})
    )
    program = (
        "import sys, json; from pathlib import Path; from omegaconf import OmegaConf; from vae_cli.sweeps.packed.scheduler import *;"
        "cfg = OmegaConf.create({'epochs': 3, 'returns': 'elbo', 'retry_failed': False});"
        "told = OmegaConf.create({'hydra': {'sweeper': {}}});"
        f"member = Member(Job(cfg, told.hydra, RunFolder(Path({str(folder)!r})), 'packed')); groups([member]); assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
