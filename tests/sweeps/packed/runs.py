"""Small runs, alone and as members of a packed sweep, and what two of their folders must have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from omegaconf import OmegaConf, open_dict
from run_comparison import assert_equal, metrics, saved, summary

from vae_cli.config.compose import accept
from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.call import SweepCall
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.packed.member import Member
from vae_cli.sweeps.packed.scheduler import train_members
from vae_cli.training.run import run

MNIST = Path(__file__).parents[2] / "data"
SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=50", "data.validation_size=20", "data.test_size=20",  # 7 batches, the last of 2 images
    "network.hidden=[8]", "latent.code_size=3", "batch_size=8", "epochs=3", "log_every=3", "nll_samples=4",
    "optimizer.lr=0.01", "checkpoint.minutes=1000", "precision=float64",
)  # fmt: skip
BERNOULLI = (*SMALL, "latent=bernoulli")
DIFFERENT_BERNOULLI = [
    ("seed=1", "latent.temperature=0.3"),
    ("seed=2", "optimizer.lr=0.003", "objective.beta=0.5", "objective.warmup_steps=9", "epochs=2"),
    ("seed=3", "latent.temperature=1.5", "estimator.anneal_rate=0.05", "gradient_clip_norm=3", "log_every=2",
     "schedule=cosine", "optimizer=sgd", "corruption=masking", "corruption.fraction=0.2"),
]  # fmt: skip
KINDS = {
    "bernoulli": BERNOULLI,
    "gaussian": (*SMALL, "latent=gaussian", "objective.samples=2", "objective.free_bits=0.05"),
    "straight through": (*BERNOULLI, "estimator=straight_through"),
    "reinforce with its baseline in buffers": (*BERNOULLI, "estimator=reinforce"),
    "learned prior": (*BERNOULLI, "latent.prior=learned", "latent.signed=true", "network.inputs=centered"),
    "deterministic": (*SMALL, "latent=deterministic", "likelihood=unit_gaussian"),
    "convolutions": (*BERNOULLI, "network=conv", "network.channels=[4,8]", "network.hidden=12"),
}  # fmt: skip
DIFFERENT = {
    "bernoulli": DIFFERENT_BERNOULLI,
    "gaussian": [("seed=1",), ("seed=2", "objective.beta=0.5"), ("seed=3", "optimizer=adamw")],
}
TWO = [(*BERNOULLI, "seed=1"), (*BERNOULLI, "seed=2", "optimizer.lr=0.003")]


def member(folder: Path, *overrides: str) -> Member:
    """As the launcher composes it."""
    cfg = hydra.compose("config", ["hydra/launcher=packed", *overrides], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = "MULTIRUN"
        cfg.hydra.job.id = cfg.hydra.job.num = 0
        cfg.hydra.runtime.output_dir = str(folder)
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return Member(Job(own, cfg.hydra, RunFolder(folder), "packed", (SweepCall(folder.parent),)))


def train_packed(sweep: Path, members: list[tuple[str, ...]]) -> list[Path]:
    """Train the members as a packed sweep; their folders."""
    folders = [sweep / str(i) for i in range(len(members))]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    train_members([member(*each) for each in in_folders(folders, members)], None)
    return folders


def in_folders(folders: list[Path], members: list[tuple[str, ...]]) -> list[tuple[Any, ...]]:
    return [(folder, *overrides) for folder, overrides in zip(folders, members, strict=True)]


def train_alone(sweep: Path, members: list[tuple[str, ...]]) -> list[Path]:
    """Train each member as a single run; their folders."""
    folders = [sweep / str(i) for i in range(len(members))]
    for folder, *overrides in in_folders(folders, members):
        train_alone_at(folder, *overrides)
    return folders


def train_alone_at(folder: Path, *overrides: str) -> None:
    cfg = hydra.compose("config", list(overrides))
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"config": cfg, "hydra": OmegaConf.create(), "overrides": OmegaConf.create(list(overrides))}
    RunFolder(folder).record(**{name: OmegaConf.to_yaml(part) for name, part in texts.items()})
    run(accept(cfg), folder)


def contents(folder: Path) -> dict[str, Any]:
    """All that a run folder says, without times."""
    return {
        "config": checkpoint.load(folder / "checkpoints/last.pt")["config"],
        "last": saved(folder, "last"),
        "best": saved(folder, "best"),
        "metrics": metrics(folder),
        "summary": summary(folder),
    }


def assert_equal_runs(one: Sequence[Path], other: Sequence[Path], tolerance: float = 1e-9) -> None:
    """The folders of `one` say what those of `other` say, and no checkpoint of `other` holds more than its run."""
    for a, b in zip(one, other, strict=True):
        assert_equal(contents(a), contents(b), tolerance)
        small, size = ((folder / "checkpoints/last.pt").stat().st_size for folder in (a, b))
        assert size < 1.2 * small, f"{b} is saved with tensors of other members"


def status(folder: Path) -> str:
    return str(summary(folder)["status"])
