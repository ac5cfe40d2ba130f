"""Estimators on a whole model whose codes can be enumerated, after some training: the encoder's gradient against the exact
one, and bounds of several samples between the ELBO and log p(x)."""

import math

import pytest
import torch
from engine.steps import new_state
from models.tables import ROWS, seeded
from torch import Tensor

from vae_cli.engine.state import State
from vae_cli.engine.step import train_step
from vae_cli.metrics.gradients import exact_gradient
from vae_cli.metrics.likelihood import enumerate_codes
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.reductions import LogMeanExp
from vae_cli.objectives.target import target_of

BITS, IMAGES, BLOCKS, DRAWS = 6, 16, 20, 25
SCHEDULE = {"beta": 1.0, "temperature": 0.5}
UNBIASED = (
    "reinforce", "disarm", "arm", "arms", "local_expectation", "muprop", "double_cv", "rodeo", "rebar", "relax",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> State:
    words = (f"latent.code_size={BITS}", "estimator=disarm", "objective.samples=2")
    state = new_state("latent=bernoulli", *words, "optimizer.lr=0.01")
    images = state.experiment.data.train.images
    for _ in range(150):
        train_step(state, images)
    return state


def batch(state: State) -> Tensor:
    return state.experiment.data.train.images[:IMAGES].double()


def distances(state: State, name: str) -> Tensor:
    """For each block, n |mean − exact|² over the total variance of the other blocks: its mean is 1 without bias, and
    1 + n |bias|² / variance with one."""
    model, x, row = state.experiment.model, batch(state), ROWS[name]
    torch.manual_seed(0)
    samples = BITS + 1 if row.samples is None else row.samples
    kl = "analytic" if name == "concrete" else "sampled"
    objective = ELBO(row.make(BITS, x.shape[1]), samples=samples, kl=kl)
    exact = exact_gradient(model, objective, x, SCHEDULE)
    assert exact is not None
    target, generator = torch.cat([g.flatten() for g in exact]), seeded()
    found = []
    for _ in range(BLOCKS * DRAWS):
        noise = model.latent.noise((objective.rows, len(x)), generator, x)
        loss = objective(model, x, x, noise, SCHEDULE).loss.mean()
        gradient = torch.autograd.grad(loss, list(model.encoder.parameters()))
        found.append(torch.cat([g.flatten() for g in gradient]))
    blocks = torch.stack(found).unflatten(0, (BLOCKS, DRAWS))
    variances = blocks.var(1).sum(-1)
    others = (variances.sum() - variances) / (BLOCKS - 1)
    return DRAWS * (blocks.mean(1) - target).square().sum(-1) / others


@pytest.mark.parametrize("name", UNBIASED)
def test_the_encoders_gradient_is_unbiased(trained, name):
    """Within 4 standard errors of the mean of 20 blocks."""
    found = distances(trained, name)
    assert abs(float(found.mean()) - 1) <= 4 * float(found.std()) / math.sqrt(BLOCKS)


@pytest.mark.parametrize("name", ["straight_through", "concrete", "st_gumbel"])
def test_a_biased_estimator_is_found_out(trained, name):
    found = distances(trained, name)
    assert float(found.mean()) - 1 > 4 * float(found.std()) / math.sqrt(BLOCKS)


@torch.no_grad()
def test_bounds_of_more_samples_lie_nearer_to_the_exact_likelihood(trained):
    """Of common samples, 200 times 10 for each image: L₁ ≤ L₂ ≤ L₅ ≤ L₁₀ ≤ log p(x), in the mean over the images."""
    experiment, x = trained.experiment, batch(trained)
    model, bounds = experiment.model, {1: 0.0, 2: 0.0, 5: 0.0, 10: 0.0}
    q, generator = model.encode(x), seeded()
    for _ in range(200):
        z = q.sample(model.latent.noise((10, len(x)), generator, x))
        log_weights = target_of(model, x, x, q, LogMeanExp()).of_samples(z)
        for size in bounds:
            bounds[size] += float(LogMeanExp(10 // size)(log_weights).mean()) / 200
    exact = enumerate_codes(model, experiment.data, experiment.data.train).log_likelihood[:IMAGES].mean()
    values = [*bounds.values(), float(exact)]
    assert values == sorted(values) and values[0] < values[-1]
