"""A data set: three splits of flattened images, kept as tensors on the training device."""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vae_cli.errors import UserError


class Split(NamedTuple):
    """images [N, D], uint8 (a quarter of the memory of float32) or floating; labels [N] or None."""

    images: Tensor
    labels: Tensor | None = None

    def take(self, n: int) -> "Split":
        """The first n images."""
        return Split(self.images[:n], None if self.labels is None else self.labels[:n])

    def pick(self, indices: Tensor) -> "Split":
        """The images at these indices, or those where a mask [N] is true."""
        i = indices.to(self.images.device)
        return Split(self.images[i], None if self.labels is None else self.labels[i])

    def without(self, classes: list[int]) -> "Split":
        """The images whose label is none of `classes`; all of them where there are no labels."""
        if self.labels is None:
            return self
        return self.pick(~torch.isin(self.labels, torch.tensor(classes)))

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), None if self.labels is None else self.labels.to(device))


class Dataset(NamedTuple):
    """Train, validation and test images of one shape (channels, height, width).

    scale     pixels are x = images × scale: 1/255 for grey levels 0…255
    redraw    pixels of `train` are probabilities of white, and are drawn again at each use of an image
    entropy   of the distribution that the images are drawn from, in nats per image, if it is known exactly:
              no model's expected −log p(x) is below it
    checksum  of all images and labels, as `with_checksum` found them
    """

    train: Split
    validation: Split
    test: Split
    shape: tuple[int, int, int]
    scale: float = 1.0
    redraw: bool = False
    entropy: float | None = None
    checksum: str | None = None

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def change_splits(self, change: Callable[[Split], Split]) -> "Dataset":
        train, validation, test = map(change, self.splits.values())
        return self._replace(train=train, validation=validation, test=test)

    def pixels(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """x [B, D] of stored `images`."""
        x = images.to(dtype)
        if self.scale == 1:
            return x
        return x * self.scale if x is images else x.mul_(self.scale)  # in place where `to` made a copy

    def targets(self, images: Tensor, generator: Generator, dtype: torch.dtype) -> Tensor:
        """Training targets x [B, D] of stored `images`: with `redraw` black or white at random, else their pixels."""
        x = self.pixels(images, dtype)
        return torch.bernoulli(x, generator=generator) if self.redraw else x

    def limit(self, n: int | None) -> "Dataset":
        """The first n images of each split; all of them for None."""
        return self if n is None else self.change_splits(lambda split: split.take(n))

    def without(self, classes: list[int]) -> "Dataset":
        """The data set without all images of these classes, for a model that should find them unlikely."""
        if not classes:
            return self
        for name, split in self.splits.items():
            if split.labels is None and len(split.images):
                raise UserError(
                    f"data.exclude_classes={classes} needs labelled data, and the {name} images have no labels"
                )
        known = [] if self.train.labels is None else self.train.labels.unique().tolist()
        if absent := [c for c in classes if c not in known]:
            raise UserError(f"data.exclude_classes: there is no class {absent[0]}; the data has {known}")
        return self.change_splits(lambda split: split.without(classes))

    def with_checksum(self) -> "Dataset":
        """The data set, in host memory, with the checksum of its content: a run that is resumed compares it. Takes 0.3 s
        for each GB."""
        total = 0
        for split in self.splits.values():
            for tensor in (split.images, split.labels):
                total = total if tensor is None else zlib.crc32(tensor.contiguous().numpy().data, total)
        return self._replace(checksum=f"{total:08x}")

    def to(self, device: torch.device, placement: str) -> "Dataset":
        """The data set with its images on the device, or in host memory.

        They stay in host memory for `placement` "host", and for "auto" if a CUDA device has less than twice their size
        free. `vae_cli.data.batches.Batches` copies such images one batch ahead; there is no other difference.
        """
        needed = sum(split.images.nbytes for split in self.splits.values())
        tight = device.type == "cuda" and 2 * needed > torch.cuda.mem_get_info(device)[0]
        if placement == "host" or (placement == "auto" and tight):
            return self
        return self.change_splits(lambda split: split.to(device))
