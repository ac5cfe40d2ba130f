"""The pixels that a likelihood accepts."""

import pytest
import torch

from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.support import check_support, is_binary
from vae_cli.errors import UserError


def floats(*values: float, scale: float = 1.0, redraw: bool = False, test: float = 0.5) -> Dataset:
    train, empty = torch.tensor([values]), torch.empty(0, len(values))
    splits = Split(train), Split(empty), Split(torch.full_like(train, test))
    return Dataset(*splits, (1, 1, len(values)), scale, redraw)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (floats(0.0, 1.0), None),
        (floats(0.0, 255.0, scale=1 / 255), None),
        (floats(-0.01, 1.0), "[-0.01, 1]"),
        (floats(0.0, 1.5), "[0, 1.5]"),
        (floats(0.0, 1.0, test=2.0), "[0, 2]"),
        (floats(0.0, 255.0), "[0, 255]"),
    ],
)
def test_pixels_outside_the_support_are_refused(data, shown):
    """In any split. A likelihood on the real line accepts all pixels."""
    check_support(data, None, "gaussian")
    if shown is None:
        check_support(data, (0.0, 1.0), "bernoulli")
        return
    with pytest.raises(UserError) as error:
        check_support(data, (0.0, 1.0), "bernoulli")
    for word in ("likelihood=bernoulli", "[0, 1]", shown, "likelihood=gaussian"):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (floats(0.0, 1.0), True),
        (floats(0.0, 0.5), False),
        (floats(0.0, 255.0, scale=1 / 255), True),
        (floats(0.0, 1.0, scale=1 / 255), False),
        (floats(0.0, 100.0, scale=1 / 255, redraw=True), True),
    ],
)
def test_is_binary(data, binary):
    assert is_binary(data) == binary
