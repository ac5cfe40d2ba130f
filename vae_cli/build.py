"""From a checked configuration to an experiment: the one place where parts are constructed."""

import importlib
import inspect
from typing import Any

import torch

from vae_cli.config.schema.data import DataConfig
from vae_cli.config.schema.part import Part
from vae_cli.config.schema.run import RunConfig
from vae_cli.data.dataset import Dataset
from vae_cli.data.support import check_support
from vae_cli.engine.devices import choose_device, keep_memory
from vae_cli.engine.state import Experiment, Settings
from vae_cli.errors import UserError, did_you_mean
from vae_cli.models import networks
from vae_cli.models.vae import VAE


def build(config: RunConfig, loaded: dict[str, Dataset] | None = None) -> Experiment:
    """Construct every part of a checked configuration on its device, seeded by `seed`. `loaded` keeps data sets for
    the next call.

    Raises UserError for what only the machine or the data can show.
    """
    device = choose_device(config.device)
    if device.type == "cpu":
        keep_memory()
    torch.set_default_dtype(torch.float64 if config.precision == "float64" else torch.float32)
    tf32 = config.precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    kept, key = {} if loaded is None else loaded, f"{config.data} on {device}"
    data = kept[key] = kept.get(key) or load_data(config.data).to(device, config.data.placement)
    torch.manual_seed(config.seed)
    model = build_model(config, data.shape)
    check_support(data, model.likelihood.support, config.likelihood.name)
    if config.network.mean_bias:
        mean = data.train.images.float().mean(0) * data.scale
        networks.set_output_bias(model.decoder, model.likelihood.bias(mean))
    model = model.to(device)
    objective = make(config.objective, estimator=make(config.estimator)).to(device)
    return Experiment(
        data=data,
        model=model,
        objective=objective,
        optimizer=make(config.optimizer, params=[*model.parameters(), *objective.parameters()]),
        decay=make(config.schedule),
        corruption=make(config.corruption),
        runtime=make(config.runtime),
        settings=Settings(
            learning_rate=config.optimizer.lr,
            checkpoint_minutes=config.checkpoint.minutes,
            checkpoint_epochs=config.checkpoint.epochs,
            **{name: getattr(config, name) for name in Settings._fields if name in RunConfig.model_fields},
        ),
        config=config,
    )


def build_model(config: RunConfig, shape: tuple[int, int, int]) -> VAE:
    """The untrained model for images of one shape, on the CPU."""
    likelihood, latent, network = make(config.likelihood), make(config.latent), make(config.network)
    try:
        encoder = network.encoder(shape, latent.encoder_outputs)
        decoder = network.decoder(latent.decoder_inputs, shape, likelihood.outputs_per_pixel)
    except ValueError as error:
        raise UserError(str(error)) from error
    return VAE(encoder, decoder, latent, likelihood)


def load_data(config: DataConfig) -> Dataset:
    """The data set without the excluded classes, limited, in host memory."""
    data: Dataset = make(config)
    data = data.without(config.exclude_classes).limit(config.limit)
    for split in ("train", "test"):
        if not len(getattr(data, split).images):
            raise UserError(f"data={config.name} has no {split} images")
    return data


def make(part: Part, **sizes: Any) -> Any:
    """Call the part's `_target_` with its own keys, and with the sizes that `build` alone knows."""
    keys = part.arguments()
    target = _target(part)
    known = inspect.signature(target).parameters
    for key in keys:
        if key not in known:
            raise UserError(f"there is no key '{part.group}.{key}'{did_you_mean(key, known)}")
    try:
        return target(**keys, **sizes)
    except (TypeError, ValueError) as error:
        raise UserError(f"{part.group}={part.name}: {error}") from error


def _target(part: Part) -> Any:
    """What `_target_` names. It must be defined in the module that the name says, not merely imported there."""
    module_name, _, name = part.target.rpartition(".")
    try:
        target = getattr(importlib.import_module(module_name), name)
    except Exception as error:  # an import may raise anything
        raise UserError(f"{part.group}._target_={part.target} cannot be imported: {error}") from error
    home = getattr(target, "__module__", "")
    is_torchs = module_name == "torch.optim" and home.startswith("torch.optim.")
    if not callable(target) or not (home == module_name or is_torchs):
        raise UserError(f"{part.group}._target_={part.target} is no part: {module_name} does not define it")
    return target
