"""A trained model in Python, with images in their own shape: `vae_cli.load(run_folder)`."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from vae_cli.build import build_model
from vae_cli.config.schema.run import RunConfig
from vae_cli.engine.devices import choose_device
from vae_cli.errors import UserError
from vae_cli.metrics.likelihood import importance_bounds
from vae_cli.models.posterior import Posterior
from vae_cli.models.vae import VAE
from vae_cli.runs import checkpoint as checkpoints
from vae_cli.runs.files import user_path
from vae_cli.runs.folder import RunFolder

Images = Tensor | np.ndarray
LARGEST_IMAGE = 2**24  # pixels


class Trained(NamedTuple):
    """Images go in as [N, C, H, W], [N, H, W] or [N, D]: floating in the units of the training data (grey in
    [0, 1]), or as the data set stores them (uint8 grey levels 0…255, or 0 and 1 where the data is black and white).
    They come out as [N, C, H, W] on the model's device. No method keeps gradients; `vae` is the module for more.

    Methods raise ValueError for images or codes of another size.
    """

    vae: VAE
    shape: tuple[int, int, int]  # channels, height, width
    scale: float  # of stored images: x = images × scale
    step: int  # of the checkpoint
    config: RunConfig
    data_checksum: str | None = None  # of the data that it was trained on, see `Dataset.with_checksum`

    @torch.no_grad()
    def encode(self, images: Images) -> Posterior:
        """q(z|x) over codes [N, V] with `.mean`, `.mode` (hard where codes are discrete), `.sample(noise)` and
        `.log_prob(codes)`; its fields are mean and log_std, logits, or value."""
        return self.vae.encode(self._vectors(images))

    @torch.no_grad()
    def decode(self, codes: Images) -> Tensor:
        """The mean image of p(x|z) of each code [N, V]."""
        z = _tensor(codes).to(next(self.vae.parameters()))
        if z.shape[-1] != self.vae.latent.decoder_inputs:
            raise ValueError(
                f"codes have {z.shape[-1]} numbers, the model takes {self.vae.latent.decoder_inputs}"
            )
        return self.vae.generate(z).unflatten(-1, self.shape)

    def reconstruct(self, images: Images) -> Tensor:
        """The mean image of each image's most probable code."""
        return self.decode(self.encode(images).mode)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """The mean images of n codes from the prior: `decode(prior_codes(n, seed))`."""
        return self.decode(self.prior_codes(n, seed))

    def prior_codes(self, n: int, seed: int = 0) -> Tensor:
        """n codes [n, V] from p(z). Raises ValueError for a plain auto-encoder, which has no prior."""
        if (prior := self.vae.prior()) is None:
            raise ValueError(f"latent={self.vae.latent.name} has no prior to sample from")
        like = next(self.vae.parameters())
        return prior.sample(self.vae.latent.noise((n,), Generator(like.device).manual_seed(seed), like))

    @torch.no_grad()
    def log_likelihood(self, images: Images, samples: int = 100, seed: int = 0) -> Tensor:
        """Importance-sampled log p(x) in nats, [N]; see `vae_cli.metrics.likelihood.importance_bounds`. Raises ValueError
        for a plain auto-encoder."""
        x = self._vectors(images)
        generator = Generator(x.device).manual_seed(seed)
        return torch.cat(
            [importance_bounds(self.vae, part, (samples,), generator)[0] for part in x.split(128)]
        )

    def _vectors(self, images: Images) -> Tensor:
        stored = _tensor(images)
        channels, height, width = self.shape
        allowed = [self.shape, (math.prod(self.shape),)] + ([(height, width)] if channels == 1 else [])
        if tuple(stored.shape[1:]) not in allowed:
            names = " or ".join(str(["N", *shape]).replace("'", "") for shape in allowed)
            raise ValueError(f"images have shape {list(stored.shape)}; needed is {names}")
        x = stored.flatten(1).to(next(self.vae.parameters()))
        return x if stored.is_floating_point() or stored.dtype == torch.bool else x * self.scale


def _tensor(array: Images) -> Tensor:
    """Arrays are copied: torch warns of those that it may not write."""
    return array if isinstance(array, Tensor) else torch.from_numpy(np.array(array))


def load(
    run_folder: str | Path, checkpoint: str = "best", device: str = "auto", external_targets: bool = False
) -> Trained:
    """The trained model of a run folder of `vae-train`; `checkpoint` is "best" or "last".

    Executes nothing that the folder holds: tensors are read with weights_only=True, and the configuration may name
    parts of vae_cli alone unless `external_targets` is true, which runs code that the folder names. Raises UserError for a folder that is no run, has no checkpoint, or a corrupt one.
    """
    folder = RunFolder(user_path(run_folder))
    file = folder.checkpoint(checkpoint)
    config = folder.config(external_targets)
    saved = checkpoints.load(file, config.plain())
    shape = _shape(saved["data"].get("shape"), file)
    where = choose_device(device)
    vae = build_model(config, shape)
    try:
        vae.load_state_dict(saved["model"])
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{file} does not fit its model: {reason}") from error
    dtype = torch.float64 if config.precision == "float64" else torch.float32
    vae = vae.to(where, dtype).eval().requires_grad_(False)
    data = saved["data"]
    return Trained(vae, shape, float(data["scale"]), saved["step"], config, data.get("checksum"))


def _shape(saved: object, file: Path) -> tuple[int, int, int]:
    """Channels, height and width. Raises UserError for anything else, and for images that no data set here has."""
    if not (isinstance(saved, list) and [type(side) for side in saved] == [int, int, int]):
        raise UserError(f"{file} is no checkpoint of vae-train: it has no shape of images")
    channels, height, width = saved
    if min(saved) < 1 or channels * height * width > LARGEST_IMAGE:
        raise UserError(
            f"{file}: its images of {saved} are not possible; allowed are at most {LARGEST_IMAGE:,} pixels"
        )
    return channels, height, width
