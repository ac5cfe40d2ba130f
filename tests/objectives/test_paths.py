"""Gradients along the path of Gaussian codes: linear decoder, Gaussian pixels, so that the posterior is known."""

import math
from typing import NoReturn

import pytest
import torch
from models.tables import seeded
from torch import Tensor

from vae_cli.models.distributions import Normal
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.pathwise import DoublyReparameterized, Pathwise, StickingTheLanding
from vae_cli.objectives.estimators.score_function import Reinforce, WakePhase
from vae_cli.objectives.reductions import LogMeanExp, Mean, Mixture, Reduction, WakeSleep
from vae_cli.objectives.target import Target

pytestmark = pytest.mark.usefixtures("float64")

N, S = 200_000, 3
MEAN, LOG_STD, SLOPE, X = 0.4, -0.3, 1.2, 1.5  # q; p(x|z) = N(slope · z, 1)
POSTERIOR = Normal(
    torch.tensor(SLOPE * X / (1 + SLOPE**2), dtype=torch.float64),
    torch.tensor(-0.5 * math.log(1 + SLOPE**2), dtype=torch.float64),
)


def never(*_: Tensor) -> NoReturn:
    raise AssertionError("no estimator of a path needs it")


def gradients(
    estimator: Estimator, reduction: Reduction, q: Normal | None = None, samples: int = S
) -> Tensor:
    """[N, 3]: in the mean and log_std of q, and in the decoder's slope."""
    mean, log_std = (
        (torch.tensor([MEAN]), torch.tensor([LOG_STD])) if q is None else (q.mean[None], q.log_std[None])
    )
    mean, log_std = (each.expand(N, 1).clone().requires_grad_() for each in (mean, log_std))
    slope = torch.full((N, 1), SLOPE, requires_grad=True)

    def log_weight(z: Tensor, q: Normal) -> Tensor:
        zero = torch.zeros(())
        log_joint = Normal(slope * z, zero).log_prob(torch.tensor(X)) + Normal(zero, zero).log_prob(z)
        return (log_joint - q.log_prob(z)).sum(-1)

    of = Target(Normal(mean, log_std), log_weight, never, never, reduction, torch.zeros(0))
    noise = torch.randn(estimator.rows(samples), N, 1, generator=seeded())
    surrogate = estimator(of, noise, {}).surrogate
    return torch.cat(torch.autograd.grad(surrogate.sum(), (mean, log_std, slope)), -1)


def apart(first: Tensor, second: Tensor) -> Tensor:
    """How far the means of two estimators are apart, in standard errors."""
    error = ((first.var(0) + second.var(0)) / N).sqrt()
    return ((first.mean(0) - second.mean(0)) / error).abs()


BOUNDS = {"iwae": LogMeanExp(), "ciwae": Mixture(0.4, LogMeanExp()), "elbo": Mean(True)}


@pytest.mark.parametrize("name", BOUNDS)
def test_dreg_pathwise_and_vimco_have_one_mean(name):
    """4.5 standard errors; DReG has the least variance in q."""
    reduction = BOUNDS[name]
    path = gradients(Pathwise(), reduction)
    double = gradients(DoublyReparameterized(), reduction)
    vimco = gradients(Reinforce("leave_one_out", 0.9), reduction)
    assert apart(path, double).max() < 4.5 and apart(path, vimco).max() < 4.5
    assert (double.var(0)[:2] < torch.minimum(path.var(0), vimco.var(0))[:2]).all()


def test_stl_is_biased_for_several_samples_and_not_for_one():
    assert (
        apart(gradients(StickingTheLanding(), LogMeanExp()), gradients(Pathwise(), LogMeanExp())).max() > 50
    )
    one = [gradients(each, LogMeanExp(), samples=1) for each in (StickingTheLanding(), Pathwise())]
    assert apart(*one).max() < 4.5


def test_stl_and_dreg_have_no_variance_at_the_true_posterior():
    """The log-weight is then log p(x), whatever the sample."""
    for estimator in (StickingTheLanding(), DoublyReparameterized()):
        found = gradients(estimator, LogMeanExp(), POSTERIOR)
        assert found[:, :2].abs().max() < 1e-12
    assert gradients(Pathwise(), LogMeanExp(), POSTERIOR)[:, :2].var(0).min() > 0.01


def test_the_doubly_reparameterized_wake_phase_has_the_mean_of_the_wake_phase():
    wake = gradients(WakePhase(), WakeSleep())
    double = gradients(DoublyReparameterized(), WakeSleep())
    assert apart(wake, double).max() < 4.5 and (double.var(0)[:2] < wake.var(0)[:2]).all()


def test_the_wake_phase_has_no_gradient_of_one_sample():
    """Its single weight is 1, and the mean of the score is 0."""
    found = gradients(WakePhase(), WakeSleep(), samples=1)[:, :2]
    assert (found.mean(0).abs() / (found.std(0) / math.sqrt(N))).max() < 4.5
