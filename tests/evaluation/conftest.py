"""Evaluations that several tests read."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from evaluation.outcome import Evaluated, assert_done

ARGUMENTS = {
    "bernoulli": ["nll_samples=1000"],
    "categorical": ["nll_samples=100"],
    "gaussian": ["nll_samples=100", "samples=7", "classifier_epochs=1", "probe_images=200"],
    "deterministic": ["classifier_epochs=0"],
}
VAE_EVAL = str(Path(sys.executable).with_name("vae-eval"))


@pytest.fixture(scope="session")
def original_categorical(trained) -> Path:
    """Two units of three values on 24 × 24 rectangles without labels."""
    return trained(
        "categorical", "latent=categorical", "latent.code_size=2", "latent.categories=3", "data.train_size=600",
        "data.validation_size=50", "data.test_size=60", "batch_size=20", "optimizer.lr=0.01",
    )  # fmt: skip


@pytest.fixture(scope="session")
def evaluated(command, request, tmp_path_factory) -> Callable[[str], Evaluated]:
    """`evaluated("gaussian")`: a copy of that tiny run, evaluated once. Tests may evaluate it again, but not otherwise
    change it."""

    @cache
    def evaluate(kind: str) -> Evaluated:
        original = request.getfixturevalue(f"original_{kind}")
        folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("evaluated") / kind))
        arguments = [f"run={folder}", *ARGUMENTS[kind]]
        if kind == "bernoulli":  # this one starts the installed command itself
            environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
            run = subprocess.run(
                [VAE_EVAL, *arguments], env=environment, capture_output=True, text=True, timeout=240
            )
        else:
            run = command("vae-eval", *arguments, cwd=folder.parent)
        return Evaluated(folder, assert_done(run))

    return evaluate
