"""Laws over all likelihoods: total mass, support and the mean image."""

import pytest
import torch
from models.tables import LIKELIHOODS as MAKE
from models.tables import seeded
from torch import Tensor

from vae_cli.models.likelihoods import GaussianLikelihood

LIKELIHOODS = {name: make() for name, make in MAKE.items()} | {"gaussian_unbounded": GaussianLikelihood(None)}
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)


@every_likelihood
def test_a_likelihood_has_one_number_a_pixel_and_total_mass_one(likelihood, float64):
    """Summed over {0, 1} where it is discrete, integrated over its support where it is a density."""
    h = torch.randn(2, 4, 3 * likelihood.outputs_per_pixel, generator=seeded())
    p = likelihood(h)
    assert p.mean.shape == p.log_prob(torch.rand(4, 3, generator=seeded())).shape == (2, 4, 3)
    if likelihood.is_discrete:
        mass = sum(p.log_prob(torch.tensor(value)).exp() for value in likelihood.support)
    else:
        low, high = likelihood.support or (-200.0, 200.0)
        x = torch.linspace(low, high, 100_001)[:, None, None, None]
        mass = torch.trapezoid(p.log_prob(x).exp(), x, dim=0)
    torch.testing.assert_close(mass, torch.ones(2, 4, 3), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_support_is_where_pixels_may_lie(name):
    assert LIKELIHOODS[name].support == (None if "gaussian" in name else (0.0, 1.0))


MEAN_IMAGE = torch.tensor([0.01, 0.03, 0.2, 0.5, 0.6, 0.9, 0.99], dtype=torch.float64)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_with_the_bias_alone_the_decoder_returns_the_mean_image(name):
    """Exactly, except for the continuous Bernoulli, whose mean has no closed inverse: within 5 % of either side."""
    likelihood = LIKELIHOODS[name]
    bias = likelihood.bias(MEAN_IMAGE)
    assert bias.shape == (7 * likelihood.outputs_per_pixel,)
    answer = likelihood(bias).mean
    tolerance = 0.05 if name == "continuous_bernoulli" else 1e-12
    torch.testing.assert_close(answer, MEAN_IMAGE, rtol=tolerance, atol=0)
    torch.testing.assert_close(1 - answer, 1 - MEAN_IMAGE, rtol=tolerance, atol=0)


@every_likelihood
def test_bias_stays_finite_for_pixels_that_are_always_black_or_white(likelihood):
    """They are kept a little inside (0, 1), so that one surprising pixel has a finite log-probability."""
    p = likelihood(likelihood.bias(torch.tensor([0.0, 1.0])))
    torch.testing.assert_close(p.mean, torch.tensor([0.0, 1.0]), rtol=0, atol=0.011)
    assert p.log_prob(torch.tensor([1.0, 0.0])).isfinite().all()


def log_std_of(likelihood: GaussianLikelihood, h: Tensor) -> Tensor:
    return likelihood(torch.stack([torch.zeros_like(h), h], -1)).log_std[..., 0]


@pytest.mark.parametrize("floor", [-4.0, -1.0, 2.0])
def test_the_gaussians_log_std_stays_above_its_floor_and_its_gradient_does_not_vanish(floor):
    """In float32: log_std ≥ floor for any output of the decoder, ∂ log_std / ∂ h = sigmoid(h − floor) > 0."""
    h = (floor + torch.tensor([-80.0, -20.0, -1.0, 0.0, 1.0, 20.0])).requires_grad_()
    log_std = log_std_of(GaussianLikelihood(floor), h)
    (gradient,) = torch.autograd.grad(log_std.sum(), h)
    assert (log_std >= floor).all()
    assert (gradient > 0).all()
    torch.testing.assert_close(gradient, (h.detach() - floor).sigmoid())
    assert (log_std_of(GaussianLikelihood(floor), torch.tensor([-1e30])) == floor).all()
    torch.testing.assert_close(log_std[-1], h[-1], rtol=0, atol=1e-5)  # far above, the floor has no effect


def test_without_a_floor_log_std_is_the_output_of_the_decoder():
    h = torch.tensor([-80.0, 0.0, 20.0])
    assert torch.equal(log_std_of(GaussianLikelihood(None), h), h)
