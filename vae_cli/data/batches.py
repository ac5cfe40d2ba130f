"""The order of an epoch's images, and the batches taken in that order."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor


def epoch_order(n: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """A permutation of n images that depends on (seed, epoch) alone, so that a resumed run repeats its epoch's order."""
    generator = Generator(device).manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator, device=device)


def batches(images: Tensor, order: Tensor, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """images[order] in batches [B, D] on `device`; the last batch may be smaller.

    Images in host memory are gathered into pinned memory and copied while the previous batch is in use.
    """
    pinned = images.device.type == "cpu" and device.type == "cuda"
    ahead: Tensor | None = None
    for indices in order.to(images.device).split(batch_size):
        batch = images.index_select(0, indices)  # on a CPU faster than images[indices]
        batch = batch.pin_memory().to(device, non_blocking=True) if pinned else batch
        if ahead is not None:
            yield ahead
        ahead = batch
    if ahead is not None:
        yield ahead
