"""From a composed configuration to an experiment: the one place where parts are constructed."""

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.errors import MissingConfigException
from hydra.experimental.callback import Callback
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from vae_cli.errors import UserError, nearest
from vae_cli.schema import GROUPS, check, check_evaluation, check_pair, differences

if TYPE_CHECKING:
    import torch

    from vae_cli.data import Data
    from vae_cli.model import VAE
    from vae_cli.state import Experiment


def config_folder() -> Path:
    """configs/: inside the installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "config.yaml").exists():
            return folder
    raise UserError(
        f"{package} has no configs/config.yaml: the installation is incomplete; install vae-cli again"
    )


def member_name(overrides: str) -> str:
    """A sweep member's overrides as one folder name: safe characters, and a hash where it would be too long."""
    import hashlib

    safe = re.sub(r"[^\w.,=+-]", "_", overrides, flags=re.ASCII) or "defaults"
    if safe == overrides and len(safe) <= 150:
        return safe
    return f"{safe[:140]}_{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


OmegaConf.register_new_resolver("member", member_name, replace=True)


def accept(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as a checked plain dictionary. Needs no torch."""
    for group in GROUPS:
        if group not in cfg:
            raise UserError(f"{group} must be given: {group}=OPTION")
    plain_cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in ("hydra", "experiment")])
    check_pair(
        plain_cfg.latent, plain_cfg.estimator
    )  # first: a wrong pair has interpolations that lead nowhere
    config = _plain(plain_cfg)
    check(config)
    return config


def _plain(cfg: DictConfig) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key or str(error)
        raise UserError(f"{key} must be given: {key}=VALUE") from error
    except OmegaConfBaseException as error:
        raise UserError(" ".join(str(error).split())) from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def accept_evaluation(cfg: DictConfig) -> dict[str, Any]:
    """The settings of vae-eval as a checked plain dictionary. Needs no torch."""
    settings = _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))
    check_evaluation(settings)
    return settings


def saved_config(folder: Path) -> DictConfig:
    """The configuration of a run folder."""
    file = folder / ".hydra/config.yaml"
    if not file.exists():
        raise UserError(f"{folder} is no run folder: it has no .hydra/config.yaml")
    try:
        cfg = OmegaConf.load(file)
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"{file} is no configuration of vae-train")
    return cfg


def data_option(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The checked configuration of `data=name`, with those of `changes` that it has keys for. Inside a Hydra program.

    Raises UserError for an unknown name."""
    try:
        cfg = compose("config", [f"data={name}"])
    except MissingConfigException as error:
        options = list(error.options or ())
        raise UserError(
            f"there is no data set {name!r}; allowed are {', '.join(options)}{nearest(name, options)}"
        ) from error
    cfg.data.update({key: value for key, value in changes.items() if key in cfg.data})
    return accept(cfg)["data"]


class CheckBeforeRun(Callback):
    """Hydra's hook before it makes the run folder: a bad configuration leaves nothing behind."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.run.dir)
        try:
            current = accept(config)
            earlier = accept(saved_config(folder)) if (folder / ".hydra/config.yaml").exists() else current
            if found := differences(earlier, current):
                raise UserError(f"{folder} holds a run of another configuration: {'; '.join(found)}")
        except (
            UserError
        ) as error:  # SystemExit, because Hydra turns other exceptions of callbacks into warnings
            print(f"vae-train: {error}", file=sys.stderr)
            raise SystemExit(2) from error


def build(config: dict[str, Any]) -> "Experiment":
    """Construct every part of a checked configuration on its device, seeded by `seed`.

    Raises UserError for what only the machine or the data can show.
    """
    import torch

    from vae_cli import networks, schedules
    from vae_cli.data import check_support
    from vae_cli.state import Experiment, Settings

    device = choose_device(config["device"])
    torch.set_default_dtype(torch.float64 if config["precision"] == "float64" else torch.float32)
    tf32 = config["precision"] == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    data = load_data(config["data"]).to(device, config["data"]["placement"])
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
        settings=Settings(
            samples=kl["samples"],
            learning_rate=config["optimizer"]["lr"],
            checkpoint_minutes=config["checkpoint"]["minutes"],
            checkpoint_epochs=config["checkpoint"]["epochs"],
            **{name: config[name] for name in Settings._fields if name in config},
        ),
        config=config,
    )


def build_model(config: dict[str, Any], shape: tuple[int, int, int]) -> "VAE":
    """The untrained model for images of one shape, on the CPU."""
    from vae_cli.model import VAE

    likelihood = _make(config, "likelihood")
    latent = _make(config, "latent", drop=("estimators", "temperature"))
    network = _make(config, "network", drop=("mean_bias",))
    try:
        encoder = network.encoder(shape, latent.encoder_outputs)
        decoder = network.decoder(latent.code_size, shape, likelihood.outputs_per_pixel)
    except ValueError as error:
        raise UserError(str(error)) from error
    return VAE(encoder, decoder, latent, likelihood)


def load_data(config: dict[str, Any]) -> "Data":
    """The data set of `config["data"]`, without the excluded classes, limited, in host memory."""
    source = inspect.signature(_target(config)).parameters
    common = [key for key in ("root", "limit", "placement", "exclude_classes") if key not in source]
    data: Data = _make({"data": config}, "data", drop=tuple(common))
    data = data.without(config["exclude_classes"]).limit(config["limit"])
    for split in ("train", "test"):
        if not len(getattr(data, split).images):
            raise UserError(f"data={config['name']} has no {split} images")
    return data


def choose_device(name: str) -> "torch.device":
    """auto, cpu, cuda or cuda:N → the device; cuda without CUDA is refused."""
    import torch

    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"device={name}, but this machine or this torch has no CUDA; allowed here are auto, cpu"
        )
    device = torch.device("cuda" if name == "auto" else name)
    if (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={name} does not exist; this machine has {torch.cuda.device_count()} CUDA devices"
        )
    return device


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
            raise UserError(f"there is no key '{group}.{key}'{nearest(key, known)}")
    try:
        return target(**keys, **sizes)
    except (TypeError, ValueError) as error:
        raise UserError(f"{group}={config[group]['name']}: {error}") from error
