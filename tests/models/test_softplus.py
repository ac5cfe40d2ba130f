"""log(1 + exp(x)) and its derivatives."""

import math

import pytest
import torch
from models.tables import close, seeded
from torch.nn import functional

from vae_cli.models.softplus import softplus

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_is_exact_to_rounding_with_its_gradient(dtype):
    """float32 against log(1 + exp(x)) in float64; float64 against torch's own."""
    x = torch.linspace(-87, 87, 100_001, dtype=dtype).requires_grad_()
    wide = x.detach().double()
    expected = (
        torch.logaddexp(wide, torch.zeros(()))
        if dtype == torch.float32
        else functional.softplus(wide, threshold=40)
    )
    value = softplus(x)
    value.sum().backward()
    error = ((value.double() - expected) / expected).abs().max()
    assert error < 4 * torch.finfo(dtype).eps
    close(x.grad.double(), wide.sigmoid(), 4 * torch.finfo(dtype).eps)
    ends = softplus(torch.tensor([math.inf, -math.inf, 1e30, -1e30], dtype=dtype))
    assert ends.tolist() == [math.inf, 0, torch.tensor(1e30, dtype=dtype).item(), 0]
    assert softplus(torch.tensor(math.nan, dtype=dtype)).isnan()


def test_softplus_may_be_differentiated_twice_and_under_vmap():
    """Control variates differentiate a gradient: a backward pass that works in place would break it."""
    x = (5 * torch.randn(20, generator=seeded())).requires_grad_()
    assert torch.autograd.gradcheck(softplus, x)
    assert torch.autograd.gradgradcheck(softplus, x)
    of_rows = torch.func.vmap(torch.func.grad(lambda row: softplus(row).sum()))(x.detach().view(4, 5))
    close(of_rows.flatten(), x.detach().sigmoid())
