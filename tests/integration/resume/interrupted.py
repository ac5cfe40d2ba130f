"""Small runs of several kinds, and ways to interrupt them."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import SMALL_MODEL, SMALL_RECTANGLES, SUBSET, configured
from run_comparison import saved, summary

from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import Interrupted
from vae_cli.training.run import run
from vae_cli.training.session import Session

STEPS_PER_EPOCH, EPOCHS = 7, 3  # the last batch of an epoch has 2 images
LAST = STEPS_PER_EPOCH * EPOCHS

MODEL = (*SMALL_MODEL, "log_every=3")
BASE = (*SMALL_RECTANGLES, *MODEL, "data.train_size=50")
MNIST = ("data=binarized_mnist", f"data.root={SUBSET}", "data.validation_size=100", "data.limit=50", *MODEL)
VARIANTS = {
    "gaussian": BASE,
    "bernoulli annealed": (*BASE, "latent=bernoulli", "estimator.anneal_rate=0.05"),
    "categorical": (*BASE, "latent=categorical"),
    "reinforce": (*BASE, "latent=bernoulli", "estimator=reinforce"),
    "learned control variate": (*BASE, "latent=bernoulli", "estimator=relax", "objective.samples=2"),
    "bound of several samples": (*BASE, "latent=bernoulli", "objective=iwae", "estimator=disarm", "objective.samples=4"),
    "learned prior": (*BASE, "latent=bernoulli", "latent.prior=learned", "latent.signed=true", "network.inputs=centered"),
    "dynamic binarization": MNIST,
    "corruption": (*BASE, "corruption=salt_and_pepper", "corruption.fraction=0.3"),
    "schedules": (*BASE, "schedule=cosine", "schedule.warmup_steps=5", "objective.warmup_steps=4",
                  "objective.cycle_steps=6", "optimizer=sgd", "gradient_clip_norm=5"),
    "nothing validated": (*BASE, "data.validation_size=0"),
    "traced": (*BASE, "latent=bernoulli", "estimator=reinforce", "runtime=graph"),
}  # fmt: skip


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, event: Callable[[], object]) -> None:
    """Makes `event` happen within the given step (counted from 1)."""
    make = Session.step

    def disturbed(session: Session, batch: torch.Tensor) -> torch.Tensor:
        metrics = make(session, batch)
        if session.state.step == step:
            event()
        return metrics

    monkeypatch.setattr(Session, "step", disturbed)


def stop_and_go(config: RunConfig, folder: Path, how: signal.Signals, steps: tuple[int, ...]) -> None:
    """Trains with a signal within each of `steps`, and resumes after each."""
    for step in steps:
        with pytest.MonkeyPatch.context() as patch:
            at_step(patch, step, lambda: signal.raise_signal(how))
            with pytest.raises(Interrupted, match=f"vae-train resume={folder}"):
                run(config, folder)
        assert summary(folder)["status"] == "interrupted" and saved(folder)["step"] == step
    run(config, folder)


def interrupted_run(folder: Path, *overrides: str, step: int = 9) -> None:
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, step, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted):
            run(configured(*BASE, *overrides), folder)
