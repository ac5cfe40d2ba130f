"""A run that diverges says where, what preceded it, and what to try."""

import math
import re

import pytest
import torch
from conftest import SMALL_MODEL, SMALL_RECTANGLES, configured

from vae_cli.build import build
from vae_cli.engine.experiment import Experiment
from vae_cli.errors import LONGEST, Diverged
from vae_cli.training.divergence import Before, raise_if_diverged
from vae_cli.training.run import run


def experiment(*overrides: str) -> Experiment:
    return build(configured(*SMALL_RECTANGLES, *SMALL_MODEL, "data.train_size=80", *overrides))


def message(experiment: Experiment, rows: list[list[float]], before: Before) -> str:
    with pytest.raises(Diverged) as error:
        raise_if_diverged(experiment, torch.tensor(rows), 20, before)
    assert len(str(error.value)) <= LONGEST
    return str(error.value)


@pytest.mark.parametrize("index", range(3))
def test_the_first_step_that_is_not_finite_is_named_with_the_largest_term_of_the_step_before(index):
    part = experiment()
    assert part.step_metrics == ("loss", "rate", "distortion")
    rows = [[9.0, -5.0, 4.0], [90.0, 50.0, 40.0], [900.0, 500.0, 400.0]]
    terms = ["rate -7", "rate -5", "rate 50"][index]
    rows[index][2] = math.inf
    said = message(part, rows, Before(torch.tensor([1.0, -7.0, 2.0]), 12.5))
    assert said.startswith(
        f"distortion is inf at step {18 + index}, epoch 2; before: {terms}, gradient norm 12.5, "
    )


def test_nothing_is_said_of_finite_steps():
    raise_if_diverged(experiment(), torch.tensor([[1e30, -1e30, 0.0]]), 20, Before())


@pytest.mark.parametrize(
    ("overrides", "remedies"),
    [
        (["optimizer.lr=50"], "optimizer.lr=0.001 or gradient_clip_norm=1"),
        (["optimizer.lr=0.002", "gradient_clip_norm=3"], "optimizer.lr=0.0002"),
        (["latent=bernoulli", "latent.temperature=0.01"], "a higher temperature than 0.01 or optimizer.lr=0.001 or"),
        (["likelihood=gaussian", "likelihood.min_log_std=-9"], "likelihood.min_log_std=-3 or optimizer.lr="),
    ],
)  # fmt: skip
def test_what_makes_divergence_likely_is_named_first(overrides, remedies):
    said = message(experiment(*overrides), [[math.nan, 0, 0]], Before())
    assert (
        f"; before: learning rate {said.partition('learning rate ')[2].partition(';')[0]}; try {remedies}"
        in said
    )


def test_data_of_another_scale_are_named_first():
    part = experiment()
    data = part.data.change_splits(lambda split: split._replace(images=split.images.float() * 3e6))
    said = message(part._replace(data=data), [[math.nan, 0, 0]], Before())
    assert re.search(r"try data of about 1 \(their largest pixel is 3e\+06\) or optimizer.lr", said)


def test_a_real_run_that_diverges_says_it(tmp_path):
    with pytest.raises(
        Diverged, match=r"; before: \w+ .*, learning rate 1e\+20; try optimizer.lr=0.001 or gradient_"
    ):
        run(configured(*SMALL_RECTANGLES, *SMALL_MODEL, "data.train_size=80", "optimizer.lr=1e20"), tmp_path)
