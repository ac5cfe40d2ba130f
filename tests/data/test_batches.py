"""The order of an epoch and its batches."""

import numpy as np
import pytest
import torch
from data.z_scores import Z, chi_square_z

from vae_cli.data.batches import Batches, epoch_order

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (9, 3), (2, 5), (1, 1)])
def test_an_epoch_uses_every_image_once(n, batch_size):
    """In the given order, in whole batches except for the last one."""
    images = torch.arange(2 * n).reshape(n, 2)
    order = epoch_order(n, 0, 0, CPU)
    found = list(Batches(images, order, batch_size, CPU))
    assert [len(b) for b in found] == [len(b) for b in order.split(batch_size)]
    assert torch.equal(torch.cat(found), images[order])
    assert sorted(torch.cat(found)[:, 0].tolist()) == images[:, 0].tolist()


def test_the_order_of_an_epoch_depends_only_on_seed_and_epoch():
    """It is a permutation, different for each seed and epoch. torch's global generator is neither read nor advanced."""
    torch.manual_seed(1)
    orders = {(s, e): epoch_order(50, s, e, CPU) for s in (0, 1, 2**32 - 1) for e in (0, 1, 19)}
    state = torch.get_rng_state()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    for (s, e), order in orders.items():
        assert torch.equal(order, epoch_order(50, s, e, CPU))
        assert order.sort().values.tolist() == list(range(50))
    assert torch.equal(before, torch.get_rng_state()) and not torch.equal(before, state)
    assert len({tuple(order.tolist()) for order in orders.values()}) == len(orders)


def test_the_first_image_of_an_epoch_is_uniform():
    """Chi-square over which of 16 images comes first in 3,200 epochs."""
    first = [int(epoch_order(16, 0, epoch, CPU)[0]) for epoch in range(3_200)]
    assert abs(chi_square_z(np.bincount(first, minlength=16), np.full(16, 200.0))) < Z
