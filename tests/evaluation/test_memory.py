"""Memory that runs out while a run is evaluated: one sentence with what to lower, and the earlier evaluation stays."""

import shutil

import pytest
import torch
from evaluation.outcome import QUICK, contents
from hydra import compose

from vae_cli.config.compose import accept_evaluation
from vae_cli.errors import OutOfMemory
from vae_cli.evaluation import evaluate as module


@pytest.mark.usefixtures("composed_by_hydra")
@pytest.mark.parametrize("where", ["measure", "_draw", "page"])
def test_an_allocation_that_fails_is_one_sentence(original_bernoulli, tmp_path, monkeypatch, where):
    folder = shutil.copytree(original_bernoulli, tmp_path / "run")
    monkeypatch.setattr(module, where, lambda *_: torch.empty(10**15))
    settings = accept_evaluation(compose("eval", [f"run='{folder}'", *QUICK, "test_images=20"]))
    before = contents(folder)
    with pytest.raises(OutOfMemory, match=r"lower probe_images=\d+ or test_images=20 or nll_samples=10$"):
        module.evaluate(settings, [])
    assert contents(folder) == before
