"""What estimators and bounds have in common, sample by sample, to 1e-10."""

import itertools
import math

import pytest
import torch
from models.tables import LATENTS, LIKELIHOODS, ROWS, images, seeded, vae
from objectives.golden import DECODER, LOGITS, D, K, target
from torch import Tensor

from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.antithetic import DisARM
from vae_cli.objectives.estimators.contract import Estimate, Estimator
from vae_cli.objectives.estimators.control_variates import Rebar, Relax
from vae_cli.objectives.estimators.pathwise import DoublyReparameterized, Pathwise, StickingTheLanding
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.taylor import RODEO, DoubleCV
from vae_cli.objectives.importance import ImportanceWeighted
from vae_cli.objectives.reductions import LogMeanExp, Mean, Mixture, Reduction, others_logsumexp

pytestmark = pytest.mark.usefixtures("float64")
B, S = 40, 6
REDUCTIONS: dict[str, Reduction] = {
    "mean": Mean(), "iwae": LogMeanExp(), "miwae": LogMeanExp(3), "ciwae": Mixture(0.3, LogMeanExp()),
    "ciwae of groups": Mixture(0.6, LogMeanExp(2)),
}  # fmt: skip


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def gradients(estimator: Estimator, samples: int, reduction: Reduction, full: bool = True) -> list[Tensor]:
    """Value, and the surrogate's gradients in logits and decoder, of B estimates from the same noise."""
    logits = LOGITS.expand(B, K).clone().requires_grad_()
    decoder = DECODER.expand(B, K, D).clone().requires_grad_()
    noise = BernoulliLatent(K).noise((estimator.rows(samples), B), seeded(), LOGITS)
    estimate = estimator(target(logits, decoder, reduction, full), noise, {"temperature": 0.5})
    return [estimate.value, *torch.autograd.grad(estimate.surrogate.sum(), (logits, decoder))]


def assert_equal(first: list[Tensor], second: list[Tensor]) -> None:
    for here, there in zip(first, second, strict=True):
        close(here, there)


def leave_one_out() -> Estimator:
    return Reinforce("leave_one_out", 0.9)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_is_what_it_says(name):
    """Shift-equivariant, with its own weights as its gradient; each replacement is one that is written out."""
    reduction = REDUCTIONS[name]
    log_w = (3 * torch.randn(S, B, generator=seeded(1))).requires_grad_()
    value, replacement = reduction(log_w), torch.randn(S, B, generator=seeded(2))
    close(reduction(log_w + 7), value + 7)
    (slope,) = torch.autograd.grad(value.sum(), log_w)
    close(reduction.weights(log_w.detach()), slope)
    close(slope.sum(0), torch.ones(B))
    log_w = log_w.detach()
    for s in range(S):
        changed = log_w.clone()
        changed[s] = replacement[s]
        close(reduction.without(log_w, replacement)[s], value.detach() - reduction(changed))


def test_a_dominant_weight_neither_overflows_nor_vanishes_in_float32():
    """The naive −log(1 − w) is infinite here; the truth is 24.9."""
    log_w = torch.tensor([[0.0], [-26.0], [-26.0]], dtype=torch.float32)
    others = others_logsumexp(log_w[None])[0] - log_w.logsumexp(0)
    assert float(-others[0]) == pytest.approx(26 - math.log(2), rel=1e-6)
    without = LogMeanExp().without(log_w, torch.full_like(log_w, -26.0))
    assert float(without[0]) == pytest.approx(26 - math.log(3), rel=1e-6)


def test_leave_one_out_of_a_log_mean_exp_is_vimco_written_out():
    """Mnih and Rezende (2016), with the geometric mean of the other weights."""
    noise = BernoulliLatent(K).noise((3, B), seeded(), LOGITS)
    logits, decoder = LOGITS.expand(B, K).clone().requires_grad_(), DECODER.expand(B, K, D)
    of = target(logits, decoder, LogMeanExp(), True)
    z = of.q.sample(noise)
    log_w = of.log_weight(z, of.q)
    signal = torch.empty(3, B)
    for s in range(3):
        others = [t for t in range(3) if t != s]
        changed = log_w.detach().clone()
        changed[s] = log_w.detach()[others].mean(0)
        signal[s] = log_w.detach().logsumexp(0) - changed.logsumexp(0)
    score = of.q.log_prob(z).sum(-1)
    expected = (signal * score).sum() - (log_w.detach().softmax(0) * score).sum()
    (gradient,) = torch.autograd.grad(expected, logits)
    close(gradients(leave_one_out(), 3, LogMeanExp())[1], gradient)


def test_vargrad_has_the_gradient_of_leave_one_out_with_a_sampled_kl():
    """Half the sample variance of the log-weights, in the score's direction (Richter et al., 2020)."""
    noise = BernoulliLatent(K).noise((4, B), seeded(), LOGITS)
    logits, decoder = LOGITS.expand(B, K).clone().requires_grad_(), DECODER.expand(B, K, D)
    of = target(logits, decoder, Mean(), True)
    log_w = of.log_weight(of.q.sample(noise), of.q)
    (gradient,) = torch.autograd.grad(-log_w.var(0).sum() / 2, logits)
    close(gradients(leave_one_out(), 4, Mean())[1], gradient)


@pytest.mark.parametrize("estimator", [leave_one_out, DisARM])
def test_bounds_of_one_sample_and_of_groups_of_one_are_the_elbo(estimator):
    """Up to the score of log q itself, whose mean is 0 and which a bound keeps."""
    kept = Mean(keeps_log_q=True)
    groups = S // 2 if estimator is DisARM else S
    assert_equal(gradients(estimator(), S, LogMeanExp(groups)), gradients(estimator(), S, kept))
    assert_equal(gradients(estimator(), S, Mixture(1.0, LogMeanExp())), gradients(estimator(), S, kept))
    assert_equal(
        gradients(estimator(), S, Mixture(0.0, LogMeanExp())), gradients(estimator(), S, LogMeanExp())
    )


def test_special_cases_of_control_variates():
    """RELAX without its network is REBAR; REBAR without its control variate is REINFORCE; Double CV and RODEO without theirs
    are leave-one-out."""
    relax = Relax(True, 0.5, 1.3, 0.01, 5, D, K)
    for parameter in relax.network.parameters():
        torch.nn.init.zeros_(parameter)
    assert_equal(gradients(relax, 4, Mean()), gradients(Rebar(True, 0.5, 1.3, 0.01), 4, Mean()))
    reinforce = gradients(Reinforce("moving_average", 0.9), 2, Mean())
    assert_equal(gradients(Rebar(True, 0.5, 0.0, 0.01), 4, Mean()), reinforce)
    for without in (DoubleCV(0.0, 0.01), RODEO(5, 0.01)):
        assert_equal(gradients(without, 3, Mean()), gradients(leave_one_out(), 3, Mean()))


LEARNED = [name for name, row in ROWS.items() if row.make(2, 2).own_optimizer()]


@pytest.mark.parametrize("name", LEARNED)
def test_the_loss_and_the_control_variate_train_disjoint_parameters(name):
    """The gradient of `control` in every parameter of the model is 0, and that of the surrogate in every one of the
    estimator's; each of these gets one from `control`."""
    model = vae(LATENTS["bernoulli"](K), LIKELIHOODS["bernoulli"]())
    row, x = ROWS[name], images(LIKELIHOODS["bernoulli"](), 5)
    estimator = row.make(K, x.shape[1])
    for parameter in estimator.parameters():  # none at 0, where another one would have no effect
        torch.nn.init.normal_(parameter, std=0.5, generator=seeded())
    objective = ELBO(estimator, samples=6, kl="sampled")
    noise = model.latent.noise((objective.rows, 5), seeded(), x)
    terms = objective(model, x, x, noise, {"beta": 1.0, "temperature": 0.5})
    assert terms.control is not None
    own, others = list(estimator.parameters()), list(model.parameters())
    of_control = torch.autograd.grad(terms.control.sum(), own + others, retain_graph=True, allow_unused=True)
    of_loss = torch.autograd.grad(terms.loss.sum(), own + others, allow_unused=True)
    assert all(g is not None and g.abs().sum() > 0 for g in of_control[: len(own)])
    assert all(g is None or not g.any() for g in (*of_control[len(own) :], *of_loss[: len(own)]))
    assert all(g is not None and g.abs().sum() > 0 for g in of_loss[len(own) :])


def of_model(objective: ELBO | ImportanceWeighted, model: VAE, x: Tensor) -> list[Tensor]:
    noise = model.latent.noise((objective.rows, len(x)), seeded(), x)
    loss = objective(model, x, x, noise, {"beta": 1.0}).loss
    return [loss.detach(), *torch.autograd.grad(loss.sum(), list(model.parameters()))]


@pytest.fixture
def gaussian() -> tuple[VAE, Tensor]:
    return vae(LATENTS["gaussian"](2), LIKELIHOODS["bernoulli"]()), images(LIKELIHOODS["bernoulli"](), 5)


def test_importance_bounds_of_one_sample_are_the_elbo_of_a_gaussian(gaussian):
    for estimator in (Pathwise, StickingTheLanding):
        assert_equal(
            of_model(ImportanceWeighted(estimator(), 1), *gaussian),
            of_model(ELBO(estimator(), kl="sampled"), *gaussian),
        )
    assert_equal(
        of_model(ImportanceWeighted(DoublyReparameterized(), 1), *gaussian),
        of_model(ELBO(StickingTheLanding(), kl="sampled"), *gaussian),
    )


def test_a_frozen_log_weight_has_the_value_of_the_log_weight_and_reaches_the_codes_alone():
    model = vae(LATENTS["bernoulli"](K), LIKELIHOODS["bernoulli"]())
    x = images(LIKELIHOODS["bernoulli"](), 5)

    class Check(Estimator):
        def forward(self, target, noise, schedule) -> Estimate:
            z = target.q.sample(noise).requires_grad_()
            frozen = target.frozen(z)
            close(frozen.detach(), target.log_weight(z, target.q).detach())
            everything = [z, *model.parameters()]
            slope, *others = torch.autograd.grad(frozen.sum(), everything, allow_unused=True)
            assert slope.abs().sum() > 0 and all(other is None for other in others)
            codes, table = target.all_codes()
            each = target.log_weight(codes[:, None].expand(-1, 5, -1), target.q)
            close(table.detach(), each.detach(), 1e-9)
            return Estimate(frozen.mean(0), frozen.mean(0), frozen)

    for kl, weight in itertools.product(("analytic", "sampled"), (1.0, 0.3)):
        objective = ELBO(Check(), samples=3, kl=kl)
        objective(model, x, x, model.latent.noise((3, 5), seeded(), x), {"beta": weight})
