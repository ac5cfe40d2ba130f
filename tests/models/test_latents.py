"""Laws over all latents: shapes, the base noise, the prior, and the enumeration of codes."""

import math

import pytest
import torch
from models.oracles import ORACLES, kl
from models.tables import DISCRETE, LATENTS, WITH_PRIOR, close, seeded
from torch import Tensor

from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent

every_latent = pytest.mark.parametrize("name", LATENTS)


@every_latent
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_posterior_prior_and_noise_have_the_shape_of_codes_and_the_type_of_images(name, dtype):
    latent, like = LATENTS[name](3), torch.zeros((), dtype=dtype)
    q = latent.posterior(torch.randn(2, 4, latent.encoder_outputs, generator=seeded()).to(dtype))
    noise, v = latent.noise((5, 2, 4), seeded(), like), latent.decoder_inputs
    shapes = [(q.mean, (2, 4, v)), (q.mode, (2, 4, v)), (noise, (5, 2, 4, v)), (latent.rate(q), (2, 4, 3))]
    shapes += [(q.sample(noise), (5, 2, 4, v))]
    if (prior := latent.prior(like)) is not None:
        shapes += [(prior.mean, (v,)), (q.log_prob(q.sample(noise)), (5, 2, 4, 3))]
    for tensor, shape in shapes:
        assert tensor.shape == shape
        assert tensor.dtype == dtype
    assert (latent.rate(q) >= 0).all()
    assert torch.equal(noise, latent.noise((5, 2, 4), seeded(), like))
    assert torch.equal(noise, latent.noise((5, 2, 4), seeded(1), like)) == (name not in WITH_PRIOR)


@every_latent
def test_an_encoder_output_of_zero_is_the_prior(name):
    """h = 0 means N(0, 1), Ber(½) or equally probable values, at a rate of exactly 0: padded units rely on it."""
    latent = LATENTS[name](3)
    h = torch.zeros(1, latent.encoder_outputs)
    assert (latent.rate(latent.posterior(h)) == 0).all()
    if (prior := latent.prior(h)) is not None:
        assert torch.equal(latent.posterior(h).mean[0], prior.mean)


@every_latent
def test_latents_name_themselves_as_their_option_does_and_describe_what_they_draw(name):
    latent = LATENTS[name](3)
    assert latent.name == name
    assert "its" in latent.resampling.format(whose="its") and latent.walking and latent.traversing


@pytest.mark.parametrize(
    ("name", "one", "three"),
    [
        ("gaussian", "1 unit", "3 units"),
        ("bernoulli", "1 bit", "3 bits"),
        ("categorical", "1 unit of 3 values", "3 units of 3 values"),
        ("deterministic", "1 unit", "3 units"),
    ],
)
def test_latents_tell_the_size_of_their_codes(name, one, three):
    assert (LATENTS[name](1).in_words, LATENTS[name](3).in_words) == (one, three)


def test_each_unit_reads_its_own_numbers():
    """A Gaussian's mean is the first half of the encoder's output, its log_std the second; categories come first, then
    units: the first K numbers are the logits of value 0."""
    h = torch.arange(6.0)
    q = GaussianLatent(3).posterior(h)
    assert torch.equal(q.mean, h[:3]) and torch.equal(q.log_std, h[3:])
    assert torch.equal(BernoulliLatent(6).posterior(h).logits, h)
    assert torch.equal(DeterministicLatent(6).posterior(h).value, h)
    assert CategoricalLatent(2, 3).posterior(h).logits.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("name", WITH_PRIOR)
def test_the_rate_is_the_oracles_kl_to_the_prior(name, float64):
    latent = LATENTS[name](3)
    h = torch.randn(7, latent.encoder_outputs, generator=seeded())
    close(latent.rate(latent.posterior(h)), kl(*ORACLES[name](h, 3)))


EULER = 0.5772156649015329


def gumbel_cdf(x: Tensor) -> Tensor:
    return (-(-x).exp()).exp()


@pytest.mark.parametrize(
    ("latent", "mean", "variance", "kurtosis", "cdf"),
    [
        (GaussianLatent(1), 0.0, 1.0, 3.0, torch.special.ndtr),
        (BernoulliLatent(1), 0.0, math.pi**2 / 3, 4.2, torch.sigmoid),
        (CategoricalLatent(1, 2), EULER, math.pi**2 / 6, 5.4, gumbel_cdf),
    ],
    ids=["normal", "logistic", "gumbel"],
)
def test_noise_has_its_mean_variance_and_distribution_function(
    latent, mean, variance, kurtosis, cdf, float64
):
    """One million draws, z ≤ 4."""
    n = 1_000_000
    noise = latent.noise((n,), seeded(), torch.zeros(()))[:, 0]
    assert abs(noise.mean() - mean) <= 4 * math.sqrt(variance / n)
    assert abs((noise - mean).square().mean() - variance) <= 4 * variance * math.sqrt((kurtosis - 1) / n)
    for point in torch.tensor([-3.0, -1.0, 0.0, 0.5, 2.0]):
        p = cdf(point)
        assert abs((noise <= point).double().mean() - p) <= 4 * math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("edge", ["lowest", "highest"])
@pytest.mark.parametrize("latent", [BernoulliLatent(2), CategoricalLatent(2, 3)], ids=["logistic", "gumbel"])
def test_noise_is_finite_at_both_ends_of_the_grid_of_uniforms(monkeypatch, dtype, edge, latent):
    """`torch.rand` returns 0 about once in 17 million draws of float32, and log 0 is infinite."""
    uniform = 0.0 if edge == "lowest" else torch.tensor(1.0, dtype=dtype).nextafter(torch.tensor(0.0))
    monkeypatch.setattr(torch, "rand", lambda size, **kwargs: torch.full(size, float(uniform), dtype=dtype))
    noise = latent.noise((3,), seeded(), torch.zeros((), dtype=dtype))
    assert noise.isfinite().all()
    lowest = -15 if latent.name == "bernoulli" else -2.8
    assert ((noise > 15) if edge == "highest" else (noise < lowest)).all()


def test_a_deterministic_code_has_no_noise_no_prior_and_no_density():
    latent = DeterministicLatent(3)
    assert not latent.noise((2, 4), seeded(), torch.zeros(())).any()
    assert latent.prior(torch.zeros(())) is None
    q = latent.posterior(torch.zeros(1, 3))
    for log_prob in (q.log_prob, q.pairwise_log_prob):
        with pytest.raises(TypeError, match="no density"):
            log_prob(torch.zeros(1, 3))


# Discrete codes.


@every_latent
def test_continuous_codes_are_refused_by_name_where_values_are_counted(name):
    latent = LATENTS[name](3)
    if name in DISCRETE:
        assert latent.code_count == latent.values_per_unit**3
        return
    assert latent.code_count is None
    with pytest.raises(TypeError, match=f"latent={name} has no"):
        latent.codes(torch.arange(2), torch.zeros(()))
    with pytest.raises(TypeError, match=f"latent={name} has no"):
        latent.probabilities(latent.posterior(torch.zeros(1, latent.encoder_outputs)))


@pytest.mark.parametrize("name", DISCRETE)
def test_the_codes_of_all_numbers_are_all_codes_and_share_the_prior_equally(name, float64):
    """Unit 0 is the least significant digit of the number."""
    latent = LATENTS[name](4)
    index = torch.arange(latent.code_count)
    codes = latent.codes(index, torch.zeros(()))
    assert codes.shape == (latent.code_count, latent.decoder_inputs)
    assert len(codes.unique(dim=0)) == latent.code_count
    log_prob = latent.prior(codes).log_prob(codes).sum(-1)
    close(log_prob, -math.log(latent.code_count))
    probabilities = latent.probabilities(latent.posterior(8.0 * latent.encoder_outputs * (2 * codes - 1)))
    digits = index[:, None] // latent.values_per_unit ** torch.arange(4) % latent.values_per_unit
    assert torch.equal(probabilities.argmax(-2), digits)


@pytest.mark.parametrize("name", DISCRETE)
def test_probabilities_of_values_sum_to_one_and_give_the_mean(name, float64):
    latent = LATENTS[name](3)
    q = latent.posterior(torch.randn(5, latent.encoder_outputs, generator=seeded()))
    probabilities = latent.probabilities(q)
    assert probabilities.shape == (5, latent.values_per_unit, 3)
    close(probabilities.sum(-2), 1.0)
    close(probabilities[:, 1] if name == "bernoulli" else probabilities.flatten(-2), q.mean)


@every_latent
def test_only_two_gaussian_units_have_a_plane(name):
    """It goes right with unit 0 and up with unit 1, each cell as probable as any other."""
    plane = LATENTS[name](2).plane(20, torch.zeros(()))
    assert LATENTS[name](3).plane(20, torch.zeros(())) is None
    assert (plane is not None) == (name == "gaussian")
    if plane is not None:
        at = torch.special.ndtri((torch.arange(20) + 0.5) / 20)
        rows = plane.unflatten(0, (20, 20))
        for row, column in ((0, 0), (0, 19), (19, 0), (7, 3)):
            close(rows[row, column], torch.stack([at[column], at[19 - row]]), 1e-6)


# --- a learned prior ----------------------------------------------------------------------------------------


def learned_prior() -> BernoulliLatent:
    latent = BernoulliLatent(3, prior="learned", prior_lr=0.05)
    latent.prior_logits.data.copy_(torch.tensor([-2.0, 0.0, 1.5]))
    return latent.double()


def test_a_learned_prior_has_a_logit_for_each_unit_and_an_optimizer_of_its_own():
    latent = learned_prior()
    (group,) = latent.own_optimizer().param_groups
    assert group["params"] == [latent.prior_logits] and group["lr"] == 0.05
    assert torch.equal(latent.prior(torch.zeros((), dtype=torch.float64)).logits, latent.prior_logits)
    assert not BernoulliLatent(3, prior="learned").prior_logits.any()  # it starts uniform
    uniform = BernoulliLatent(3)
    assert uniform.own_optimizer() is None and not list(uniform.parameters())


def test_the_rate_of_a_learned_prior_is_the_kl_to_it():
    """Its gradient pulls the prior to the mean posterior: dKL / dlogit = sigmoid(logit) − E[z]."""
    latent = learned_prior()
    q = latent.posterior(torch.randn(5, 3, generator=seeded()).double())
    oracle = torch.distributions.Bernoulli(logits=q.logits)
    expected = torch.distributions.kl_divergence(
        oracle, torch.distributions.Bernoulli(logits=latent.prior_logits.expand(5, 3))
    )
    close(latent.rate(q), expected, 1e-12)
    latent.rate(q).sum(-1).mean().backward()
    close(latent.prior_logits.grad, (latent.prior_logits.sigmoid() - q.mean.mean(0)).detach(), 1e-12)
