"""One-hot categories against their oracle, torch.distributions, which has the categories on the last axis."""

import pytest
import torch
from models.tables import close, seeded
from torch import Tensor
from torch import distributions as oracle

from vae_cli.models.categorical import OneHotCategorical, largest
from vae_cli.models.latents.categorical import CategoricalLatent

pytestmark = pytest.mark.usefixtures("float64")

C, K, N = 4, 3, 6
LOGITS = 2 * torch.randn(N, C, K, generator=seeded(), dtype=torch.float64)


def theirs(code: Tensor) -> Tensor:
    """A code [..., C·K] as torch has it, [..., K, C]."""
    return code.unflatten(-1, (C, K)).mT


def codes(n: int) -> Tensor:
    return CategoricalLatent(K, C).codes(torch.randint(C**K, (n,), generator=seeded(1)), torch.zeros(()))


def test_mean_mode_log_prob_and_kl_are_the_oracles():
    q, p = OneHotCategorical(LOGITS), oracle.OneHotCategorical(logits=LOGITS.mT)
    value, prior = codes(N), torch.randn(C, K, generator=seeded(2))
    close(theirs(q.mean), p.mean)
    close(theirs(q.mode), p.mode, 0)
    close(q.log_prob(value), p.log_prob(theirs(value)))
    kl = oracle.kl_divergence(p, oracle.OneHotCategorical(logits=prior.mT.expand(N, K, C)))
    close(q.kl(OneHotCategorical(prior)), kl)
    close(q.kl(q), 0.0, 0)


def test_pairwise_log_prob_is_log_prob_of_each_code_under_each_distribution():
    q, values = OneHotCategorical(LOGITS), codes(5)
    close(q.pairwise_log_prob(values), q.log_prob(values[:, None]).sum(-1))


def test_hard_samples_are_one_hot_with_the_probabilities_of_a_softmax():
    """200,000 draws, z ≤ 4."""
    n, q = 200_000, OneHotCategorical(LOGITS[0])
    z = q.sample(CategoricalLatent(K, C).noise((n,), seeded(), torch.zeros(())))
    assert (theirs(z).sum(-1) == 1).all() and set(z.unique().tolist()) == {0.0, 1.0}
    off = (z.mean(0) - q.mean).abs()
    assert (off <= 4 * (q.mean * (1 - q.mean) / n).sqrt()).all()


def test_of_equal_scores_the_first_is_the_largest():
    assert largest(torch.zeros(2, C, K))[:, 0].all() and largest(torch.zeros(2, C, K)).sum() == 2 * K


def test_the_relaxed_sample_is_the_oracles_from_the_same_noise():
    """torch draws its uniforms from the global generator, in float64 with the shape [N, K, C]."""
    temperature = torch.tensor(0.7)
    p = oracle.RelaxedOneHotCategorical(temperature, logits=LOGITS.mT)
    torch.manual_seed(5)
    expected = p.rsample()
    torch.manual_seed(5)
    uniform = oracle.utils.clamp_probs(torch.rand(N, K, C))
    noise = -(-uniform.log()).log()
    close(theirs(OneHotCategorical(LOGITS).relaxed_sample(noise.mT.flatten(-2), temperature)), expected, 1e-9)


def test_the_relaxed_sample_tends_to_the_hard_one_and_lies_in_the_simplex():
    q, noise = OneHotCategorical(LOGITS), CategoricalLatent(K, C).noise((100, N), seeded(), torch.zeros(()))
    distances = []
    for temperature in (2.0, 1.0, 0.5, 0.1, 0.01, 1e-4):
        relaxed = q.relaxed_sample(noise, temperature)
        close(theirs(relaxed).sum(-1), 1.0)
        distances.append(float((relaxed - q.sample(noise)).abs().mean()))
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-4


def test_two_categories_are_a_bit():
    """logits of one value against the other: the KL, the mean and the log-probability are those of a Bernoulli code."""
    logits = torch.stack([torch.zeros(N, K), LOGITS[:, 0]], 1)  # [N, 2, K]
    q, bit = OneHotCategorical(logits), oracle.Bernoulli(logits=LOGITS[:, 0])
    close(q.mean.unflatten(-1, (2, K))[:, 1], bit.mean)
    ones = torch.cat([torch.zeros(N, K), torch.ones(N, K)], -1)
    close(q.log_prob(ones), bit.log_prob(torch.ones(N, K)))
    fair = oracle.Bernoulli(logits=torch.zeros(N, K))
    close(q.kl(OneHotCategorical(torch.zeros(2, K))), oracle.kl_divergence(bit, fair))


@pytest.mark.parametrize("logit", [50.0, 1e4])
def test_extreme_logits_keep_values_and_gradients_finite(logit):
    """In float32: the KL of a certain unit is log C, and the gradient of the KL vanishes."""
    logits = torch.zeros(1, C, 1, dtype=torch.float32)
    logits[0, 1] = logit
    logits.requires_grad_()
    q = OneHotCategorical(logits)
    kl = q.kl(OneHotCategorical(torch.zeros(C, 1, dtype=torch.float32)))
    close(kl, float(torch.tensor(float(C)).log()), 1e-6)
    relaxed = q.relaxed_sample(torch.zeros(1, C, dtype=torch.float32), 0.1)
    for value in (kl.sum(), relaxed[0, 1], q.log_prob(torch.eye(C, dtype=torch.float32)).sum()):
        (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
        assert value.isfinite() and gradient.isfinite().all()
