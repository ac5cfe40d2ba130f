"""Small problems with known variances and dynamics: Tucker's (b − t)², and control variates that learn."""

import math

import pytest
import torch
from models.tables import seeded
from objectives.golden import DECODER, LOGITS, D, K, N, estimates, exact, target
from objectives.toys import WithoutBaseline, gradients, minimized, variances

from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.objectives.estimators.antithetic import ARM, ARMS, DisARM
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.control_variates import Rebar, Relax
from vae_cli.objectives.estimators.exact import Exact
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.straight_through import ReinMax, StraightThrough
from vae_cli.objectives.estimators.taylor import DoubleCV
from vae_cli.objectives.reductions import Mean

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("logit", [0.0, 1.0, -2.5])
@pytest.mark.parametrize("t", [0.45, 0.499])
def test_the_variances_of_the_toy_are_those_in_closed_form(logit, t):
    """Within 4 standard errors, from the fourth moments."""
    p = 1 / (1 + math.exp(-logit))
    made = {
        "reinforce": (Reinforce("moving_average", 0.9), 1), "leave_one_out": (Reinforce("leave_one_out", 0.9), 2),
        "disarm": (DisARM(), 2), "arm": (ARM(), 2),
    }  # fmt: skip
    for name, expected in variances(p, t).items():
        found = gradients(*made[name], logit, t, N)
        squares = (found - found.mean()).square()
        error = float(squares.std() / math.sqrt(N))
        assert abs(float(squares.mean()) - expected) <= 4 * error + 1e-15, name
        assert (
            abs(float(found.mean()) + (1 - 2 * t) * p * (1 - p))
            <= 4.5 * float(found.std()) / math.sqrt(N) + 1e-15
        )


def test_which_estimators_solve_the_toy_of_t_045_in_500_steps():
    """Medians of 200 seeds. The exact gradient reaches 0.042; straight-through stops where p is t, for ever."""
    ends = {
        "exact": minimized(Exact(), 1, 0.45, 500), "disarm": minimized(DisARM(), 2, 0.45, 500),
        "leave_one_out": minimized(Reinforce("leave_one_out", 0.9), 2, 0.45, 500), "arm": minimized(ARM(), 2, 0.45, 500),
        "arms": minimized(ARMS(), 2, 0.45, 500), "straight_through": minimized(StraightThrough(), 1, 0.45, 500),
        "reinmax": minimized(ReinMax(1.0), 1, 0.45, 500),
    }  # fmt: skip
    medians = {name: float(end.median()) for name, end in ends.items()}
    assert medians["exact"] == pytest.approx(0.042, abs=0.002)
    assert medians["disarm"] < 0.07 and medians["arms"] < 0.07 and medians["arm"] < 0.075
    assert medians["leave_one_out"] < 0.09
    assert abs(medians["straight_through"] - 0.45) < 0.05
    assert medians["reinmax"] > 0.3  # the right mean, and a variance far above it


def test_reinforce_without_a_baseline_is_slow_on_the_toy():
    assert float(minimized(WithoutBaseline(), 1, 0.45, 500).median()) > 0.2


# Learning a control variate, on the golden problem.


def trained(estimator: Estimator, samples: int, steps: int, rate: float) -> Estimator:
    """On batches of 500 estimates at the frozen problem."""
    optimizer = torch.optim.Adam(estimator.parameters(), rate)
    logits, decoder = LOGITS.expand(500, K), DECODER.expand(500, K, D)
    generator = seeded(1)
    for _ in range(steps):
        noise = BernoulliLatent(K).noise((estimator.rows(samples), 500), generator, LOGITS)
        control = estimator(target(logits, decoder, Mean(), False), noise, {}).control
        assert control is not None
        optimizer.zero_grad()
        control.mean().backward()
        optimizer.step()
    return estimator


def variance(estimator: Estimator, samples: int) -> float:
    return float(estimates(estimator, samples).logits.var(0).sum())


def relax(coupled: bool) -> Estimator:
    torch.manual_seed(0)
    return Relax(coupled, 0.1, 1.0, 0.0, 20, D, K)


def test_double_cv_learns_the_weight_that_minimizes_the_variance():
    """The variance is a parabola in alpha, known at 0, −0.5 and −1: its minimum is met within 3 %."""
    at_0, at_half, at_1 = 1.47317318, 0.75410010, 0.47674020
    c = 2 * (at_0 + at_1 - 2 * at_half)  # at_0 + b alpha + c alpha²
    b = at_0 - at_1 + c
    least = at_0 - b**2 / (4 * c)
    learned = trained(DoubleCV(0.0, 0.0), 2, 300, 0.02)
    assert learned.alpha.item() == pytest.approx(-b / (2 * c), abs=0.1)
    assert variance(learned, 2) < 1.03 * least


LEARNED = {
    "rebar": (lambda: Rebar(True, 0.1, 1.0, 0.0), 2, 3.11, 1.1),
    "rebar, independent": (lambda: Rebar(False, 0.1, 1.0, 0.0), 3, 2.86, 1.1),
    "relax": (lambda: relax(True), 2, 3.2, 0.75),
    "relax, independent": (lambda: relax(False), 3, 2.9, 0.65),
}


@pytest.mark.parametrize("name", LEARNED)
def test_relaxed_control_variates_learn_and_stay_unbiased(name):
    """From a temperature of 0.1, which is too low: the variance before and after 400 steps, which is below the one."""
    make, samples, before, after = LEARNED[name]
    estimator = make()
    assert variance(estimator, samples) == pytest.approx(before, rel=0.07)
    trained(estimator, samples, 400, 0.02)
    found, expected = estimates(estimator, samples), exact()
    assert float(found.logits.var(0).sum()) < after
    error = found.logits.std(0) / math.sqrt(N)
    assert ((found.logits.mean(0) - expected.logits).abs() / error).max() <= 4.5


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["rebar", "relax, independent"])
def test_they_are_unbiased_whatever_their_parameters_are(name, seed):
    make, samples, *_ = LEARNED[name]
    estimator = make()
    for parameter in estimator.parameters():
        torch.nn.init.normal_(parameter, generator=seeded(seed))
    found, expected = estimates(estimator, samples), exact()
    error = found.logits.std(0) / math.sqrt(N)
    assert ((found.logits.mean(0) - expected.logits).abs() / error).max() <= 4.5
