"""What the tests of configurations share: configurations composed as the command line does, changed, and built small."""

import copy
import functools
from pathlib import Path

import hydra
import torch
import yaml
from models.tables import ROWS
from pydantic.fields import FieldInfo
from torch import Generator

from vae_cli.build import build
from vae_cli.config.compose import accept, run_config
from vae_cli.config.diff import flatten
from vae_cli.config.schema.run import GROUP_CONFIGS, GROUPS, CheckpointConfig, RunConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.engine.learning_rate import learning_rate_factor
from vae_cli.engine.state import State
from vae_cli.engine.step import train_step

CONFIGS = config_folder()
SUBSET = Path(__file__).parents[1] / "data"
OPTIONS = sorted(
    (path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml") if path.parent.name != "experiment"
)
NAMES = {group: [option for g, option in OPTIONS if g == group] for group in GROUPS}

SMALL = {
    "data.height": 8, "data.width": 8, "data.rectangle_height": [2, 4], "data.rectangle_width": [2, 4],
    "data.train_size": 20, "data.validation_size": 5, "data.test_size": 5,
    "latent.code_size": 3, "batch_size": 20, "network.hidden": [8], "network.channels": [4, 8],
}  # fmt: skip


@functools.cache
def _composed(*overrides: str) -> dict:
    return accept(hydra.compose("config", list(overrides))).plain()


def composed(*overrides: str) -> dict:
    """As the command line does it: composed, checked, plain."""
    return copy.deepcopy(_composed(*overrides))


def option(name: str) -> dict:
    """The configuration with one `group=option`, and with what that needs beside it to be whole."""
    beside = {
        "data=arrays": ["data.path=images.npz"],
        "objective=iwae": ["estimator=pathwise"],
        "objective=rws": ["estimator=wake"],
    } | {
        f"estimator={estimator}": [f"latent={row.latents[0]}", "latent.code_size=3", *row.overrides(units=3)]
        for estimator, row in ROWS.items()
    }
    return composed(*beside.get(name, []), name)


def put(config: dict, values: dict[str, object]) -> dict:
    """`config` with some keys changed, as key=value on the command line would."""
    config = copy.deepcopy(config)
    for key, value in values.items():
        *path, last = key.split(".")
        functools.reduce(lambda inner, name: inner[name], path, config)[last] = value
    return config


def every_field() -> list[tuple[str, str, FieldInfo]]:
    """An option that has it, the key and the field, for all plain keys and all keys of all options."""
    found = [
        ("latent=gaussian", key, field) for key, field in RunConfig.model_fields.items() if key not in GROUPS
    ]
    found += [
        ("latent=gaussian", f"checkpoint.{key}", field)
        for key, field in CheckpointConfig.model_fields.items()
    ]
    by_target = {
        yaml.safe_load((CONFIGS / group / f"{name}.yaml").read_text()).get("_target_"): f"{group}={name}"
        for group, name in OPTIONS
    }
    for group, base in GROUP_CONFIGS.items():
        for target, model in base.options().items():
            found += [
                (by_target[target], f"{group}.{key}", field)
                for key, field in model.model_fields.items()
                if key != "target"
            ]
    return [each for each in found if each[1] != "checkpoint"]


def small(config: dict) -> dict:
    """The same parts at the smallest size: as many of the keys of SMALL as there are."""
    config = put(config, {key: value for key, value in SMALL.items() if key in flatten(config)})
    return put(config, {"network.hidden": 8}) if config["network"]["name"] == "conv" else config


def steps(config: dict, n: int = 1) -> State:
    """Build and train n steps: finite figures, and every parameter that has a gradient moves."""
    experiment = build(run_config(config))
    state = State(experiment, Generator().manual_seed(config["seed"]))
    before = copy.deepcopy(experiment.model.state_dict())
    images = experiment.data.train.images[: experiment.config.batch_size]
    for _ in range(n):
        metrics = train_step(state, images)
        assert metrics.shape == (len(state.experiment.step_metrics),) and metrics.isfinite().all()
        assert learning_rate_factor(experiment.decay, state.step, 100) > 0
    assert state.step == n
    moved = [not torch.equal(before[name], value) for name, value in experiment.model.state_dict().items()]
    assert any(moved)
    assert all(value.isfinite().all() for value in experiment.model.state_dict().values())
    return state
