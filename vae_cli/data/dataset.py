"""A data set is three splits of flattened images on the training device; a batch is a tensor of indices.

One file a source: `rectangles` (made), `mnist` (torchvision's and Larochelle's files), `arrays` (the user's).
`corruption` spoils what the encoder sees.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vae_cli.errors import UserError


class Split(NamedTuple):
    """images [N, D], uint8 (a quarter of the memory and of the bandwidth) or floating; labels [N] or None."""

    images: Tensor
    labels: Tensor | None = None

    def take(self, n: int) -> "Split":
        return Split(self.images[:n], None if self.labels is None else self.labels[:n])

    def pick(self, indices: Tensor) -> "Split":
        """By indices or by a mask, [N]."""
        i = indices.to(self.images.device)
        return Split(self.images[i], None if self.labels is None else self.labels[i])

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), None if self.labels is None else self.labels.to(device))


class Data(NamedTuple):
    """Train, validation and test images of one shape (channels, height, width).

    scale     x = images × scale: 1/255 for grey levels 0…255
    redraw    pixels of `train` are probabilities, drawn anew each time an image is used
    entropy   of the distribution that the images come from, nats per image, where it is known exactly: no
              model's −log p(x) is below it in expectation
    """

    train: Split
    validation: Split
    test: Split
    shape: tuple[int, int, int]
    scale: float = 1.0
    redraw: bool = False
    entropy: float | None = None

    def pixels(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        x = images.to(dtype)
        return x if self.scale == 1 else x.mul_(self.scale) if x is not images else x * self.scale

    def targets(self, images: Tensor, generator: Generator, dtype: torch.dtype) -> Tensor:
        """Training targets x [B, D] of stored `images`, drawn from their intensities where `redraw` says so."""
        x = self.pixels(images, dtype)
        return torch.bernoulli(x, generator=generator) if self.redraw else x

    def limit(self, n: int | None) -> "Data":
        """The first n images of each split."""
        if n is None:
            return self
        return self._replace(
            train=self.train.take(n), validation=self.validation.take(n), test=self.test.take(n)
        )

    def without(self, classes: list[int]) -> "Data":
        """All splits without the images of these classes, for a model that is to find them unlikely."""

        def keep(split: Split) -> Split:
            return split.pick(~torch.isin(split.labels, torch.tensor(classes)))  # type: ignore[arg-type]  # splits have labels alike

        if not classes:
            return self
        if self.train.labels is None:
            raise UserError(f"data.exclude_classes={classes} needs labelled data, and these have no labels")
        known = self.train.labels.unique().tolist()
        if absent := [c for c in classes if c not in known]:
            raise UserError(f"data.exclude_classes: there is no class {absent[0]}; the data has {known}")
        return self._replace(train=keep(self.train), validation=keep(self.validation), test=keep(self.test))

    def to(self, device: torch.device, placement: str) -> "Data":
        """Copy to the device, unless `placement` is "host" or "auto" finds less than twice the room.

        What stays in host memory is copied a batch ahead by `batches`; nothing else changes for the user.
        """
        splits = (self.train, self.validation, self.test)
        needed = sum(split.images.nbytes for split in splits)
        tight = device.type == "cuda" and 2 * needed > torch.cuda.mem_get_info(device)[0]
        if placement == "host" or (placement == "auto" and tight):
            return self
        train, validation, test = (split.to(device) for split in splits)
        return self._replace(train=train, validation=validation, test=test)


def epoch_order(n: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """A permutation of the n images, a function of (seed, epoch) alone: a resumed epoch finds its place again."""
    generator = Generator(device).manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator, device=device)


def batches(images: Tensor, order: Tensor, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """images[order] in batches [B, D] on `device`; the last may be smaller.

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


def check_support(data: Data, support: tuple[float, float] | None, likelihood: str) -> None:
    """Refuse pixels outside the likelihood's support (None: the real line)."""
    if support is None:
        return
    splits = [split.images for split in (data.train, data.validation, data.test) if len(split.images)]
    low = min(float(images.min()) for images in splits) * data.scale
    high = max(float(images.max()) for images in splits) * data.scale
    if low < support[0] or high > support[1]:
        raise UserError(
            f"likelihood={likelihood} needs pixels in [{support[0]:g}, {support[1]:g}], the data has "
            f"[{low:g}, {high:g}]; scale the data, or use likelihood=gaussian or likelihood=unit_gaussian"
        )


def is_binary(data: Data) -> bool:
    """Whether every training pixel is 0 or 1."""
    one = round(1 / data.scale)
    x = data.train.images
    return data.redraw or bool(((x == 0) | (x == one)).all())
