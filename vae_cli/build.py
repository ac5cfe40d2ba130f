"""From a checked configuration to an experiment: the one place where parts are constructed."""

import inspect
from typing import Any

import torch
from hydra.utils import get_object

from vae_cli.data.dataset import Dataset
from vae_cli.data.support import check_support
from vae_cli.engine.devices import choose_device, keep_memory
from vae_cli.engine.state import Experiment, Settings
from vae_cli.errors import UserError, did_you_mean
from vae_cli.models import networks
from vae_cli.models.vae import VAE
from vae_cli.objectives import schedules


def build(config: dict[str, Any], loaded: dict[str, Dataset] | None = None) -> Experiment:
    """Construct every part of a checked configuration on its device, seeded by `seed`. `loaded` keeps data sets for
    the next call.

    Raises UserError for what only the machine or the data can show.
    """
    device = choose_device(config["device"])
    if device.type == "cpu":
        keep_memory()
    torch.set_default_dtype(torch.float64 if config["precision"] == "float64" else torch.float32)
    tf32 = config["precision"] == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    kept, key = {} if loaded is None else loaded, f"{config['data']} on {device}"
    data = kept[key] = kept.get(key) or load_data(config["data"]).to(device, config["data"]["placement"])
    torch.manual_seed(config["seed"])
    model = build_model(config, data.shape)
    check_support(data, model.likelihood.support, config["likelihood"]["name"])
    if config["network"]["mean_bias"]:
        mean = data.train.images.float().mean(0) * data.scale
        networks.set_output_bias(model.decoder, model.likelihood.bias(mean))
    model = model.to(device)
    schedule_keys = ("temperature", "anneal_rate", "minimum_temperature")
    objective = _make(
        config, "objective", drop=("beta", "samples", "initial_beta", "warmup_steps", "cycle_steps"),
        estimator=_make(config, "estimator", drop=schedule_keys),
    ).to(device)  # fmt: skip
    kl, concrete = config["objective"], config["estimator"]
    return Experiment(
        data=data,
        model=model,
        objective=objective,
        optimizer=_make(config, "optimizer", params=model.parameters()),
        decay=_make(config, "schedule"),
        beta=schedules.Beta(kl["beta"], kl["warmup_steps"], kl["cycle_steps"], kl["initial_beta"]),
        temperature=schedules.Temperature(*(concrete.get(key, 0) for key in schedule_keys)),
        corruption=_make(config, "corruption"),
        runtime=_make(config, "runtime"),
        settings=Settings(
            samples=kl["samples"],
            learning_rate=config["optimizer"]["lr"],
            checkpoint_minutes=config["checkpoint"]["minutes"],
            checkpoint_epochs=config["checkpoint"]["epochs"],
            **{name: config[name] for name in Settings._fields if name in config},
        ),
        config=config,
    )


def build_model(config: dict[str, Any], shape: tuple[int, int, int]) -> VAE:
    """The untrained model for images of one shape, on the CPU."""
    likelihood = _make(config, "likelihood")
    latent = _make(config, "latent", drop=("estimators", "temperature"))
    network = _make(config, "network", drop=("mean_bias",))
    try:
        encoder = network.encoder(shape, latent.encoder_outputs)
        decoder = network.decoder(latent.code_size, shape, likelihood.outputs_per_pixel)
    except ValueError as error:
        raise UserError(str(error)) from error
    return VAE(encoder, decoder, latent, likelihood)


def load_data(config: dict[str, Any]) -> Dataset:
    """The data set of `config["data"]`, without the excluded classes, limited, in host memory."""
    source = inspect.signature(_target(config)).parameters
    common = [key for key in ("root", "limit", "placement", "exclude_classes") if key not in source]
    data: Dataset = _make({"data": config}, "data", drop=tuple(common))
    data = data.without(config["exclude_classes"]).limit(config["limit"])
    for split in ("train", "test"):
        if not len(getattr(data, split).images):
            raise UserError(f"data={config['name']} has no {split} images")
    return data


def _target(part: dict[str, Any]) -> Any:
    """What `_target_` names: defined where schema.HOMES says, not merely imported there."""
    name = part["_target_"]
    try:
        target = get_object(name)
    except Exception as error:  # Hydra wraps whatever an import raises; its cause says what
        raise UserError(
            f"_target_={name} of {part['name']} cannot be imported: {error.__cause__ or error}"
        ) from error
    module, home = getattr(target, "__module__", ""), name.rpartition(".")[0]
    if not callable(target) or not (
        module == home or (module.startswith("torch.optim.") and home == "torch.optim")
    ):
        raise UserError(f"_target_={name} of {part['name']} is no part: {home} does not define it")
    return target


def _make(config: dict[str, Any], group: str, drop: tuple[str, ...] = (), **sizes: Any) -> Any:
    """Call the group's `_target_` with its own keys and the sizes that `build` alone knows."""
    keys = {k: v for k, v in config[group].items() if k not in {"name", "_target_", *drop}}
    target = _target(config[group])
    known = inspect.signature(target).parameters
    for key in keys:
        if key not in known:
            raise UserError(f"there is no key '{group}.{key}'{did_you_mean(key, known)}")
    try:
        return target(**keys, **sizes)
    except (TypeError, ValueError) as error:
        raise UserError(f"{group}={config[group]['name']}: {error}") from error
