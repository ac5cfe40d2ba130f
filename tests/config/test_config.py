"""The configuration: every file composes and takes a step, every key has a rule, every bad value is refused in words."""

import copy
import functools
import importlib
import inspect
import math
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from torch import Generator

from vae_cli.build import build
from vae_cli.config import resolvers
from vae_cli.config.compose import accept, config_folder, prepare_hydra, run_config
from vae_cli.config.diff import differences, flatten
from vae_cli.config.resolvers import member_name
from vae_cli.config.schema.keys import option_class, roles
from vae_cli.config.schema.messages import allowed
from vae_cli.config.schema.networks import NetworkConfig
from vae_cli.config.schema.part import role_of
from vae_cli.config.schema.run import GROUP_CONFIGS, GROUPS, CheckpointConfig, RunConfig
from vae_cli.data.binarization import FIXED
from vae_cli.engine.learning_rate import learning_rate_factor
from vae_cli.engine.state import ROW, State, train_step
from vae_cli.errors import UserError, did_you_mean
from vae_cli.models.networks import ACTIVATIONS, INITIALIZATIONS

CONFIGS = config_folder()
SUBSET = Path(__file__).parents[1] / "data"
OPTIONS = sorted(
    (path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml") if path.parent.name != "experiment"
)
EXPERIMENTS = sorted(path.stem for path in CONFIGS.glob("experiment/*.yaml"))
SEARCHES = [name for name in EXPERIMENTS if name.startswith("search_")]
SERVING = {
    "gaussian": ["pathwise", "reinforce"],
    "bernoulli": ["concrete", "reinforce", "straight_through"],
    "deterministic": ["pathwise"],
}
GIVEN_BY_BUILD = {"estimator"}  # parts that are arguments of other parts
INSTALLED = {distribution.name for distribution in distributions()}
NAMES = {group: [option for g, option in OPTIONS if g == group] for group in GROUPS}

SMALL = {
    "data.height": 8, "data.width": 8, "data.rectangle_height": [2, 4], "data.rectangle_width": [2, 4],
    "data.train_size": 20, "data.validation_size": 5, "data.test_size": 5,
    "latent.code_size": 3, "batch_size": 20, "network.hidden": [8], "network.channels": [4, 8],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def hydra_config():
    GlobalHydra.instance().clear()
    prepare_hydra()
    resolvers.register()
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        yield


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
        "estimator=concrete": ["latent=bernoulli"],
        "estimator=straight_through": ["latent=bernoulli"],
    }
    return composed(*beside.get(name, []), name)


def put(config: dict, values: dict[str, object]) -> dict:
    """`config` with some keys changed, as key=value on the command line would."""
    config = copy.deepcopy(config)
    for key, value in values.items():
        *path, last = key.split(".")
        functools.reduce(lambda inner, name: inner[name], path, config)[last] = value
    return config


def small(config: dict) -> dict:
    """The same parts at the smallest size: as many of the keys of SMALL as there are."""
    config = put(config, {key: value for key, value in SMALL.items() if key in flatten(config)})
    return put(config, {"network.hidden": 8}) if config["network"]["name"] == "conv" else config


@pytest.fixture(scope="module")
def default() -> dict:
    return option("latent=gaussian")


def steps(config: dict, n: int = 1) -> State:
    """Build and train n steps: finite figures, and every parameter that has a gradient moves."""
    experiment = build(run_config(config))
    state = State(experiment, Generator().manual_seed(config["seed"]))
    before = copy.deepcopy(experiment.model.state_dict())
    images = experiment.data.train.images[: experiment.settings.batch_size]
    for _ in range(n):
        row = train_step(state, images)
        assert row.shape == (len(ROW),) and row.isfinite().all()
        assert learning_rate_factor(experiment.decay, state.step, 100) > 0
    assert state.step == n
    moved = [not torch.equal(before[name], value) for name, value in experiment.model.state_dict().items()]
    assert any(moved)
    assert all(value.isfinite().all() for value in experiment.model.state_dict().values())
    return state


def dotted(config: dict, prefix: str = "") -> list[str]:
    """The keys of all leaves."""
    return [
        leaf
        for key, value in config.items()
        for leaf in (
            dotted(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
        )
    ]


# --- every file ---------------------------------------------------------------------------------------------


def test_every_group_is_in_the_schema():
    assert {group for group, _ in OPTIONS} == set(GROUPS)
    assert all(NAMES.values())


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_every_option_composes_passes_and_has_a_rule_for_every_key(group, name):
    """So that none reaches torch unchecked; and it says its own name."""
    config = option(f"{group}={name}")
    assert config[group]["name"] == name
    assert flatten(config).keys() <= roles().keys()


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_the_keys_of_yaml_are_the_fields_of_the_model_and_the_arguments_of_the_constructor(group, name):
    """The law that holds the three together; what a model marks as no argument, `build` applies itself."""
    config = option(f"{group}={name}")[group]
    model = option_class(group, config["_target_"])
    fields = {field.alias or key for key, field in model.model_fields.items()}
    assert config.keys() == fields
    arguments = {
        key
        for key, field in model.model_fields.items()
        if key not in ("name", "target") and role_of(field).argument
    }
    module, _, constructor = config["_target_"].rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), constructor)).parameters
    taken = {
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    if module == "torch.optim":  # which take more than we offer
        assert arguments <= taken
    else:
        assert arguments == taken - GIVEN_BY_BUILD


def test_every_model_has_an_option():
    """No model outlives the option that it was for."""
    targets = {option(f"{group}={name}")[group]["_target_"] for group, name in OPTIONS}
    assert targets == {target for config in GROUP_CONFIGS.values() for target in config.options()}


def test_a_key_has_one_role_whatever_the_option():
    for group, base in GROUP_CONFIGS.items():
        for model in base.options().values():
            for key, field in model.model_fields.items():
                if key not in ("name", "target"):
                    assert role_of(field)[:3] <= tuple(roles()[f"{group}.{key}"][:3])


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_key_is_explained(path):
    """Each leaf key of each file has a comment on its line or a rule in the schema."""
    group = "" if path.parent == CONFIGS or path.parent.name == "experiment" else f"{path.parent.name}."
    loaded = yaml.safe_load(path.read_text())
    leaves = dotted({k: v for k, v in loaded.items() if k not in ("defaults", "hydra")})
    for key in leaves:
        line = rf"^\s*([\w.]+\.)?{key.rpartition('.')[2]}:.*#"
        explained = f"{group}{key}" in roles() or re.search(line, path.read_text(), re.MULTILINE)
        assert explained, f"{path.name}: {key}"


@pytest.mark.parametrize("part", [f"{group}={name}" for group, name in OPTIONS if group != "data"])
def test_every_part_takes_a_step(part):
    steps(small(option(part)), n=2)


@pytest.mark.parametrize("estimator", NAMES["estimator"])
@pytest.mark.parametrize("latent", NAMES["latent"])
def test_every_pair_of_latent_and_estimator_takes_a_step_or_is_refused(latent, estimator):
    allowed = SERVING[latent]
    pair = (f"latent={latent}", f"estimator={estimator}")
    if estimator in allowed:
        steps(put(small(composed(*pair)), {"objective.samples": 2}))
        return
    with pytest.raises(UserError) as error:
        composed(*pair)
    for word in (*pair, *allowed):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("estimator=reinforce", {"estimator.baseline": "leave_one_out", "objective.samples": 3}),
        ("latent=bernoulli", {"estimator.anneal_rate": 0.1}),
        (
            "objective=elbo",
            {"objective.beta": 4.0, "objective.warmup_steps": 10, "objective.cycle_steps": 20},
        ),
        ("objective=elbo", {"objective.free_bits": 0.1, "gradient_clip_norm": 1.0}),
        ("network=mlp", {"network.hidden": [], "network.mean_bias": False}),
        ("network=mlp", {"network.hidden": [8, 6], "schedule.warmup_steps": 3}),
        *(("network=mlp", {"network.activation": name}) for name in ACTIVATIONS),
        *(("network=mlp", {"network.initialization": name}) for name in INITIALIZATIONS),
        *(("network=conv", {"network.initialization": name}) for name in INITIALIZATIONS),
        ("optimizer=sgd", {"optimizer.momentum": 0.9, "optimizer.nesterov": True}),
        ("optimizer=adam", {"optimizer.fused": False, "data.placement": "host", "data.limit": 7}),
        ("likelihood=gaussian", {"likelihood.min_log_std": None}),
    ],
    ids=str,
)
def test_the_keys_of_parts_take_a_step(part, values):
    config = put(small(option(part)), values)
    run_config(config)
    steps(config, n=2)


def test_every_activation_and_initialization_that_is_allowed_exists():
    for key, names in (("activation", ACTIVATIONS), ("initialization", INITIALIZATIONS)):
        assert allowed(NetworkConfig.model_fields[key]) == ", ".join(names)


def test_precision_float64_reaches_the_parameters(default, float64):
    """Its fixture puts torch's default back, which `build` sets."""
    state = steps(put(small(default), {"precision": "float64"}))
    assert {p.dtype for p in state.experiment.model.parameters()} == {torch.float64}


# --- presets ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data.root with all that presets may ask for: real MNIST, and stand-ins in the formats of the others."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(SUBSET / "MNIST", root / "MNIST")
    shutil.copytree(SUBSET / "MNIST/raw", root / "FashionMNIST/raw")
    (root / "binarized_mnist").mkdir()
    for name in FIXED.checksums:
        rows = np.random.default_rng(0).integers(0, 2, (20, 784))
        (root / "binarized_mnist" / name).write_text("".join(" ".join(map(str, r)) + "\n" for r in rows))
    return root


def small_data(config: dict, root: Path) -> dict:
    data = config["data"] | {"root": str(root)}
    limits = {"train_size": 64, "validation_size": 32, "test_size": 32}
    data |= {key: min(data[key], most) for key, most in limits.items() if key in data}
    return config | {"data": data}


def comments(name: str) -> list[str]:
    """The comment lines at the head of a preset, without Hydra's own."""
    lines = (CONFIGS / f"experiment/{name}.yaml").read_text().splitlines()
    head = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    return [line.removeprefix("#").strip() for line in head if "@package" not in line]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_begins_with_its_command_the_figure_expected_and_the_source(name):
    command, *rest = comments(name)
    assert re.fullmatch(rf"vae-train (-m )?experiment={name}( .*)?", command)
    assert any(line.startswith("Expected") for line in rest)
    assert any(line.startswith("Source") for line in rest)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_composes_and_takes_a_step(name, root):
    if name in SEARCHES and "hydra-optuna-sweeper" not in INSTALLED:
        pytest.skip("needs hydra-optuna-sweeper: pip install 'vae-cli[optuna]'")
    config = composed(f"experiment={name}")
    assert config["name"] == name
    steps(small_data(config, root))


@pytest.mark.parametrize("binarization", ["none", "threshold", "dynamic", "fixed"])
@pytest.mark.parametrize("data", ["mnist", "binarized_mnist", "fashion_mnist"])
def test_every_binarization_takes_a_step(data, binarization, root):
    config = small_data(put(small(option(f"data={data}")), {"data.binarization": binarization}), root)
    if (data, binarization) == ("fashion_mnist", "fixed"):
        with pytest.raises(UserError, match=r"data\.binarization=fixed exists for MNIST alone"):
            run_config(config)
        return
    run_config(config)
    steps(config)


def test_arrays_take_a_step(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 2, (40, 6, 5), dtype=np.uint8))
    steps(put(small(option("data=arrays")), {"data.path": str(tmp_path / "a.npz")}))


# --- what is refused ----------------------------------------------------------------------------------------


def every_field() -> list[tuple[str, str, object]]:
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


@pytest.mark.parametrize(("part", "key", "field"), every_field(), ids=str)
def test_a_value_of_the_wrong_type_is_refused_for_every_key(part, key, field):
    """The message names key, value and what is allowed."""
    refused = 0
    for value in ("nonsense", math.nan, [[]], {}):
        if isinstance(value, str) and field.annotation is str:
            continue
        with pytest.raises(UserError) as error:
            run_config(put(option(part), {key: value}))
        assert str(error.value).startswith(f"{key}={value} is not allowed; allowed is {allowed(field)}")
        refused += 1
    assert refused >= 3


BAD = [
    ("", "epochs", 0, 1, "a whole number of at least 1"),
    ("", "epochs", -3, 1, "a whole number of at least 1"),
    ("", "epochs", 2.0, 2, "a whole number of at least 1"),
    ("", "epochs", True, 1, "a whole number of at least 1"),
    ("", "epochs", None, 1, "a whole number of at least 1"),
    ("", "batch_size", 0, 1, "a whole number of at least 1"),
    ("", "seed", -1, 0, "a whole number from 0 to 4294967295"),
    ("", "seed", 2**32, 2**32 - 1, "a whole number from 0 to 4294967295"),
    ("", "name", "a/../../b", "a/b", "a folder's name without '..'"),
    ("", "name", "", "x", "a folder's name"),
    ("", "device", "gpu", "cuda:1", "auto, cpu, cuda or cuda:N"),
    ("", "device", "cuda:x", "auto", "auto, cpu, cuda or cuda:N"),
    ("", "precision", "float16", "tf32", "float32, tf32, float64"),
    ("", "gradient_clip_norm", 0, None, "a number above 0, or null"),
    ("", "gradient_draws", 1, 2, "0 or a whole number of at least 2"),
    ("", "patience", 0, None, "a whole number of at least 1, or null"),
    ("", "nll_samples", -1, 0, "a whole number of at least 0"),
    ("", "log_every", 0, 1, "a whole number of at least 1"),
    ("", "validate_every", 0, 1, "a whole number of at least 1"),
    ("", "checkpoint.minutes", 0, 0.001, "a number above 0"),
    ("", "checkpoint.epochs", 0, None, "a whole number of at least 1, or null"),
    ("", "data.limit", 0, None, "a whole number of at least 1, or null"),
    ("", "data.placement", "gpu", "host", "auto, device, host"),
    ("", "data.height", 0, 12, "a whole number of at least 1"),
    ("", "data.train_size", 0, 1, "a whole number of at least 1"),
    ("", "data.validation_size", -1, 0, "a whole number of at least 0"),
    ("", "data.rectangle_height", [1, 2, 3], [1, 2], "a list of 2 values, each a whole number of at least 1"),
    ("", "data.rectangle_width", [0, 2], [1, 1], "a list of 2 values, each a whole number of at least 1"),
    ("", "latent.code_size", 0, 1, "a whole number of at least 1"),
    ("", "latent.code_size", 2.5, 2, "a whole number of at least 1"),
    ("", "network.hidden", [0], [1], "a list of whole numbers of at least 1"),
    ("", "network.hidden", [8, "x"], [], "a list of whole numbers of at least 1"),
    ("", "network.activation", "relo", "relu", "relu, leaky_relu, elu"),
    ("", "network.mean_bias", 1, False, "true or false"),
    ("", "objective.beta", -0.1, 0, "a number of at least 0"),
    ("", "objective.samples", 0, 1, "a whole number of at least 1"),
    ("", "objective.free_bits", math.inf, 0.5, "a number of at least 0"),
    ("", "optimizer.lr", 0, 1e-9, "a number above 0"),
    ("", "optimizer.lr", -0.1, 1, "a number above 0"),
    ("", "optimizer.lr", math.nan, 0.1, "a number above 0"),
    ("", "optimizer.lr", math.inf, 0.1, "a number above 0"),
    ("", "optimizer.betas", [0.9], [0.9, 0.99], "a list of 2 values"),
    ("", "optimizer.betas", [0.9, 1.0], [0.0, 0.0], "a list of 2 values"),
    ("", "optimizer.weight_decay", -1, 0, "a number of at least 0"),
    ("", "schedule.warmup_steps", -1, 0, "a whole number of at least 0"),
    ("latent=bernoulli", "latent.temperature", -1, 0.1, "a number above 0"),
    ("latent=bernoulli", "estimator.anneal_rate", -1, 0, "a number of at least 0"),
    ("latent=bernoulli", "estimator.minimum_temperature", 0, 0.01, "a number above 0"),
    ("estimator=reinforce", "estimator.baseline", "mean", "moving_average", "moving_average, leave_one_out"),
    ("estimator=reinforce", "estimator.decay", 2, 1.0, "at least 0 and at most 1"),
    ("corruption=masking", "corruption.fraction", 1.1, 1.0, "at least 0 and at most 1"),
    ("corruption=gaussian", "corruption.std", 0, 0.1, "a number above 0"),
    ("schedule=step", "schedule.every_steps", 0, 1, "a whole number of at least 1"),
    ("schedule=step", "schedule.factor", 0, 1.0, "above 0 and at most 1"),
    ("schedule=cosine", "schedule.minimum", 2, 0.5, "at least 0 and at most 1"),
    ("likelihood=gaussian", "likelihood.min_log_std", "x", -2.5, "or null"),
    ("data=mnist", "data.binarization", "on", "dynamic", "none, threshold, dynamic, fixed"),
    ("data=mnist", "data.dataset", "Kmnist", "FashionMNIST", "MNIST, FashionMNIST"),
    ("data=arrays", "data.path", None, "x.npz", "a text"),
    ("data=arrays", "data.fractions", [0.8, 0.2], [0.8, 0.2, 0.0], "a list of 3 values"),
    ("network=conv", "network.hidden", 0, 1, "a whole number of at least 1"),
    ("network=conv", "network.channels", [0], [1], "each a whole number of at least 1"),
]


@pytest.mark.parametrize(("part", "key", "bad", "good", "allowed"), BAD, ids=lambda v: str(v)[:30])
def test_values_outside_the_allowed_are_refused_and_those_at_its_edge_pass(part, key, bad, good, allowed):
    config = option(part or "latent=gaussian")
    with pytest.raises(UserError) as error:
        run_config(put(config, {key: bad}))
    message = str(error.value)
    assert message.startswith(f"{key}=") and allowed in message.partition("allowed is ")[2]
    assert ("null" if bad is None else str(bad).replace("'", "")) in message
    run_config(put(config, {key: good}))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["latent=bernoulli", "latent.temperature=0"], ["latent.temperature=0", "a number above 0"]),
        (["latent.code_size={a:1}"], ["latent.code_size={a: 1}", "a whole number of at least 1"]),
        (["epochs=many"], ["epochs=many", "a whole number of at least 1"]),
        (["data=arrays"], ["data.path must be given", "data.path=VALUE"]),
        (["data.root=${nothing.here}"], ["nothing.here"]),
    ],
    ids=str,
)
def test_what_composition_makes_of_a_bad_value_is_refused(overrides, words):
    with pytest.raises(UserError) as error:
        composed(*overrides)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


CONTRADICTIONS = [
    (
        "estimator=reinforce",
        {"estimator.baseline": "leave_one_out"},
        ["estimator.baseline=leave_one_out", "objective.samples of at least 2", "it is 1"],
    ),
    (
        "latent=bernoulli",
        {"estimator.temperature": 0.05, "estimator.anneal_rate": 0.1},
        ["estimator.minimum_temperature=0.1", "latent.temperature=0.05"],
    ),
    ("", {"data.rectangle_height": [5, 4]}, ["data.rectangle_height=[5,4]", "LOW ≤ HIGH ≤ data.height=24"]),
    ("", {"data.rectangle_width": [4, 25]}, ["data.rectangle_width=[4,25]", "LOW ≤ HIGH ≤ data.width=24"]),
    ("", {"data.height": 10}, ["data.rectangle_height=[4,12]", "data.height=10"]),
    ("data=arrays", {"data.fractions": [0.8, 0.2, 0.1]}, ["data.fractions=[0.8, 0.2, 0.1]", "more than 1"]),
    ("network=conv", {"network.hidden": [8]}, ["network.hidden=[8]", "network=conv takes one number"]),
    ("", {"network.hidden": 8}, ["network.hidden=8", "write network.hidden=["]),
]


@pytest.mark.parametrize(("part", "values", "words"), CONTRADICTIONS, ids=lambda v: str(v)[:40])
def test_contradictions_are_refused(part, values, words):
    with pytest.raises(UserError) as error:
        run_config(put(option(part or "latent=gaussian"), values))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("network=conv", {"network.channels": [2] * 4}, ["network.channels=[2, 2, 2, 2]", "allowed are 3"]),
        (
            "optimizer=sgd",
            {"optimizer.nesterov": True, "optimizer.momentum": 0},
            ["optimizer=sgd", "momentum"],
        ),
        (
            "latent=gaussian",
            {"latent.code_sise": 3},
            ["'latent.code_sise'", "did you mean 'latent.code_size'?"],
        ),
        ("data=mnist", {"data.validation_size": 400}, ["data.validation_size=400", "allowed are 0 to 399"]),
    ],
    ids=str,
)
def test_what_only_building_can_show_is_refused_in_words(part, values, words):
    with pytest.raises(UserError) as error:
        build(run_config(put(small(option(part)), {"data.root": str(SUBSET)} | values)))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("likelihood", NAMES["likelihood"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.5), (-0.5, 1.0)])
def test_only_likelihoods_on_the_whole_line_take_pixels_outside_0_1(likelihood, low, high, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.linspace(low, high, 160).reshape(20, 2, 4))
    data = put(option("data=arrays"), {"data.path": str(tmp_path / "a.npz")})["data"]
    config = small(option(f"likelihood={likelihood}")) | {"data": data}
    if "gaussian" in likelihood:
        steps(config)
        return
    with pytest.raises(UserError) as error:
        build(run_config(config))
    for word in (f"likelihood={likelihood}", "[0, 1]", f"[{low:g}, {high:g}]", "likelihood=gaussian"):
        assert word in str(error.value)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_cuda_without_cuda_is_refused(device, default, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=rf"device={device}.*no CUDA; allowed here are auto, cpu"):
        build(run_config(put(small(default), {"device": device})))


def test_differences_are_listed_but_for_what_a_resumed_run_may_change(default):
    assert differences(default, default) == []
    assert differences(default, put(default, {"epochs": 99, "data.root": "elsewhere"})) == []
    other = put(default, {"optimizer.lr": 0.5, "patience": 3})
    assert differences(default, other) == [
        "optimizer.lr was 0.001 and is 0.5",
        "patience was null and is 3",
    ]
    assert "corruption.std was null and is 0.2" in differences(default, option("corruption=gaussian"))


@pytest.mark.parametrize(
    ("typo", "found"),
    [
        ("latent.code_sise", "latent.code_size"),
        ("optimiser", "optimizer"),
        ("code_size", "latent.code_size"),
        ("epoch", "epochs"),
        ("zzzzzz", None),
    ],
)
def test_the_nearest_name(typo, found):
    assert did_you_mean(typo, [*GROUPS, *roles()]) == (f"; did you mean {found!r}?" if found else "")


# --- names of a sweep's members -----------------------------------------------------------------------------

OVERRIDES = [
    "latent.code_size=2",
    "latent.code_size=20",
    "network.hidden=[400]",
    "network.hidden=[4,00]",
    "network.hidden=(400)",
    "data.path=/a/b",
    "data.path=a/b",
    "data.path='a b'",
    "name=日本" * 40,
    "name=日木" * 40,
    ",".join(f"key_number_{i}=value" for i in range(40)),
    ",".join(f"key_number_{i}=value" for i in range(41)),
    "name=../../up",
    "",
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=lambda v: v[:24] or "none")
def test_a_members_name_is_one_safe_short_folder(overrides, tmp_path):
    name = member_name(overrides)
    assert re.fullmatch(r"[\w.,=+-]+", name, re.ASCII) and name not in (".", "..") and len(name) <= 160
    (tmp_path / name).mkdir()
    assert name == member_name(overrides)


def test_members_with_different_overrides_have_different_names():
    assert len({member_name(overrides) for overrides in OVERRIDES}) == len(OVERRIDES)


def test_a_safe_name_is_the_overrides_with_the_last_part_of_each_key():
    """But for a key whose last part an earlier key has, too, and one that is nobody's."""
    assert member_name("latent.code_size=2,latent=bernoulli,seed=1") == "code_size=2,latent=bernoulli,seed=1"
    assert member_name("latent.temperature=0.5") == "temperature=0.5"
    for overrides in ("estimator.temperature=1", "data.name=x", "data.mine=3", "lr.x=latent.code_size"):
        assert member_name(overrides) == overrides


def test_the_experiment_that_names_a_sweep_does_not_name_its_members():
    """Another one does: a sweep over experiments has a member for each."""
    assert member_name("experiment=sizes,latent.code_size=2", "sizes") == "code_size=2"
    assert member_name("experiment=sizes", "sizes") == "defaults"
    assert member_name("experiment=others,seed=2", "sizes") == "experiment=others,seed=2"


# --- nothing heavy before the configuration is accepted -----------------------------------------------------

LIGHT = """
import sys
sys.argv = ["vae-train", *{arguments}]
from vae_cli.cli import train
status = 0
try:
    train()
except SystemExit as end:
    status = end.code
heavy = {{"torch", "torchvision", "numpy", "tensorboard", "matplotlib", "tqdm"}} & sys.modules.keys()
print("status", status, "heavy", sorted(heavy))
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["latent.code_size=0"], 2),
        (["latent=bernouli"], 2),
        (["latent=gaussian", "estimator=concrete"], 2),
        (["--help"], 0),
        (["--cfg", "job"], 0),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_help_and_configuration_errors_import_nothing_heavy(arguments, status, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", LIGHT.format(arguments=arguments)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.stdout.splitlines()[-1] == f"status {status} heavy []"
    assert list(tmp_path.iterdir()) == []
