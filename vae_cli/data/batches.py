"""The order of an epoch's images, and the batches taken in that order."""

import torch
from torch import Generator, Tensor


def epoch_order(n: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """A permutation of n images. It depends only on (seed, epoch), so that a resumed run repeats its epoch's order."""
    generator = Generator(device).manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator, device=device)


class Batches:
    """An iterator over images[order] in batches [B, D] on `device`; the last batch may be smaller.

    Images in host memory are gathered into pinned memory and copied while the previous batch is in use.
    """

    def __init__(self, images: Tensor, order: Tensor, batch_size: int, device: torch.device) -> None:
        self.images, self.device = images, device
        self.pinned = images.device.type == "cpu" and device.type == "cuda"
        self.indices = iter(order.to(images.device).split(batch_size))
        self.ahead = self._gather()

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Tensor:
        if self.ahead is None:
            raise StopIteration
        batch, self.ahead = self.ahead, self._gather()
        return batch

    def _gather(self) -> Tensor | None:
        """The next batch, which __next__ returns one call later."""
        if (indices := next(self.indices, None)) is None:
            return None
        batch = self.images.index_select(0, indices)  # on a CPU faster than images[indices]
        return batch.pin_memory().to(self.device, non_blocking=True) if self.pinned else batch
