"""Constructs the parts of a run from its checked configuration. Only this module constructs parts."""

import importlib
import inspect
import math
from typing import Any

import torch

from vae_cli.config.schema.data import DataConfig
from vae_cli.config.schema.part import Part, sizes
from vae_cli.config.schema.run import RunConfig
from vae_cli.data.dataset import Dataset
from vae_cli.data.support import check_support
from vae_cli.engine.devices import choose_device, keep_memory
from vae_cli.engine.experiment import Experiment, all_but, own_optimizers
from vae_cli.engine.memory import parameter_bytes
from vae_cli.engine.out_of_memory import (
    Sizes,
    out_of_memory_in_words,
    refuse_too_large,
    refuse_too_large_batch,
)
from vae_cli.engine.runtimes import Runtime
from vae_cli.errors import UserError, did_you_mean
from vae_cli.metrics.registry import METRICS, metric
from vae_cli.models import networks
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective


def build(config: RunConfig, loaded: dict[str, Dataset] | None = None) -> Experiment:
    """Constructs every part of a run on its device, from the seed of the configuration. `loaded` keeps data sets for
    later calls.

    Raises UserError for what only the machine, the data or a user's own part can show, OutOfMemory where an allocation
    fails.
    """
    device = choose_device(config.device)
    _set_precision(config.precision, device)
    data = _data_on(device, config.data, {} if loaded is None else loaded)
    if not len(data.validation.images):
        for sentence in config.without_validation():
            raise UserError(sentence)
    with out_of_memory_in_words(config.model_sizes()):
        experiment = _construct(config, data, device)
        refuse_too_large_batch(experiment)
    return experiment


def _construct(config: RunConfig, data: Dataset, device: torch.device) -> Experiment:
    _refuse_too_many_parameters(config, data.shape, device, 2 + config.optimizer.moments)
    torch.manual_seed(config.seed)
    model = _model(config, data.shape).to(device)
    check_support(data, model.likelihood.support, config.likelihood.name)
    mean = data.train.images.float().mean(0) * data.scale
    if config.network.mean_bias:
        networks.set_output_bias(model.decoder, model.likelihood.bias(mean))
    networks.set_input_mean(model.encoder, mean)
    objective = build_objective(config, data.shape).to(device)
    own = own_optimizers(model, objective)
    return Experiment(
        config=config,
        data=data,
        model=model,
        objective=objective,
        optimizer=make(config.optimizer, params=all_but(own, model, objective)),
        decay=make(config.schedule),
        corruption=make(config.corruption),
        own_optimizers=own,
    )


def build_runtime(config: RunConfig) -> Runtime:
    """What chooses the runner for a trainable."""
    return make(config.runtime)


def build_model(config: RunConfig, shape: tuple[int, int, int]) -> VAE:
    """The untrained model for images of this shape, on the CPU. Raises UserError for one that does not fit into memory."""
    _refuse_too_many_parameters(config, shape, torch.device("cpu"), 1)
    return _model(config, shape)


def _model(config: RunConfig, shape: tuple[int, int, int]) -> VAE:
    likelihood, latent, network = make(config.likelihood), make(config.latent), make(config.network)
    try:
        encoder = network.encoder(shape, latent.encoder_outputs)
        decoder = network.decoder(latent.decoder_inputs, shape, likelihood.outputs_per_pixel)
    except ValueError as error:
        raise UserError(str(error)) from error
    if config.network.inputs != "plain":
        encoder.insert(0, networks.INPUTS[config.network.inputs](math.prod(shape)))
    if latent.signed:
        decoder.insert(0, networks.Signed())
    return VAE(encoder, decoder, latent, likelihood)


def _refuse_too_many_parameters(
    config: RunConfig, shape: tuple[int, int, int], device: torch.device, copies: int
) -> None:
    """`copies`: the numbers that are kept for each parameter."""

    def need(sizes: Sizes) -> float:
        try:
            with torch.device("meta"):  # allocates nothing
                return copies * parameter_bytes(_model(config.with_sizes(sizes), shape))
        except RuntimeError:  # more than 64 bits can count
            return math.inf

    if config.is_ours():  # what a user's own part needs is not known
        what = "parameters, gradients and moments" if copies > 1 else "parameters"
        refuse_too_large(what, config.model_sizes(), need, device)


def build_objective(config: RunConfig, shape: tuple[int, int, int]) -> Objective:
    """The objective with its estimator for images of this shape, on the CPU. Raises UserError for a user's own class that
    training cannot use."""
    sizes = {"pixels": math.prod(shape), "units": make(config.latent).decoder_inputs}
    estimator = make(config.estimator, **{name: sizes[name] for name in config.estimator.takes})
    objective = make(config.objective, estimator=estimator)
    if not isinstance(objective, Objective):
        raise UserError(
            f"objective._target_={config.objective.target} is not a vae_cli.objectives.contract.Objective"
        )
    if metric(objective.monitor).direction is None:
        raise UserError(
            f"objective={config.objective.name} monitors {objective.monitor!r}, but no metric of this name has a "
            "direction (whether higher or lower is better); register it with vae_cli.metrics.registry.register"
            f"{did_you_mean(objective.monitor, METRICS)}"
        )
    return objective


def load_data(config: DataConfig) -> Dataset:
    """The data set without the excluded classes, limited, in host memory."""

    def need(values: Sizes) -> float:
        changed = {key.removeprefix("data."): value for key, value in values.items()}
        return config.model_copy(update=changed).image_bytes()

    own = sizes(config, "data.")
    refuse_too_large("images", own, need, torch.device("cpu"))
    with out_of_memory_in_words(own):
        data: Dataset = make(config).without(config.exclude_classes).limit(config.limit)
    for split in ("train", "test"):
        if not len(getattr(data, split).images):
            raise UserError(f"data={config.name} has no {split} images")
    return data.with_checksum()


def _data_on(device: torch.device, config: DataConfig, loaded: dict[str, Dataset]) -> Dataset:
    """The data set on the device; `loaded` keeps it for later calls."""
    key = f"{config} on {device}"
    if key not in loaded:
        loaded[key] = load_data(config).to(device, config.placement)
    return loaded[key]


def _set_precision(precision: str, device: torch.device) -> None:
    """Sets the precision and memory options that torch and libc keep for the whole process."""
    if device.type == "cpu":
        keep_memory()
    torch.set_default_dtype(torch.float64 if precision == "float64" else torch.float32)
    tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


def make(part: Part, **others: Any) -> Any:
    """Calls the `_target_` of a part with the part's own keys, and with `others`, which only this module knows."""
    keys = part.arguments()
    target = _target(part)
    known = inspect.signature(target).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in known.values())
    for key in keys:
        if key not in known and not takes_any:
            raise UserError(f"there is no key '{part.group}.{key}'{did_you_mean(key, known)}")
    try:
        return target(**keys, **others)
    except (TypeError, ValueError) as error:
        raise UserError(f"{part.group}={part.name}: {error}") from error


def _target(part: Part) -> Any:
    """The class or function that `_target_` names. Its module must define it, not merely import it."""
    module_name, _, name = part.target.rpartition(".")
    try:
        target = getattr(importlib.import_module(module_name), name)
    except Exception as error:  # an import may raise anything
        ours = module_name.split(".")[0] in ("vae_cli", "torch")
        hint = "" if ours else "; PYTHONPATH must name the folder of your own modules"
        raise UserError(f"{part.group}._target_={part.target} cannot be imported: {error}{hint}") from error
    home = getattr(target, "__module__", "")
    is_torchs = module_name == "torch.optim" and home.startswith("torch.optim.")
    if not callable(target) or not (home == module_name or is_torchs):
        raise UserError(
            f"{part.group}._target_={part.target} is not a part: {module_name} does not define it"
        )
    return target
