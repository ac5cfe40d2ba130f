"""The schema: every key of every YAML file has a field, every field a rule, every bad value is refused in words."""

import importlib
import inspect
import math

import pytest
from config.composed import NAMES, OPTIONS, composed, every_field, option, put

from vae_cli.config.compose import run_config
from vae_cli.config.diff import flatten
from vae_cli.config.schema.keys import option_class, roles
from vae_cli.config.schema.messages import allowed
from vae_cli.config.schema.networks import NetworkConfig
from vae_cli.config.schema.part import role_of
from vae_cli.config.schema.run import GROUP_CONFIGS, GROUPS
from vae_cli.errors import UserError
from vae_cli.models.networks import ACTIVATIONS, INITIALIZATIONS

COMPILED = {"name": "compile", "_target_": "vae_cli.engine.runtimes.Compile"}
COMPILED_GRAPH = {"name": "graph", "_target_": "vae_cli.engine.runtimes.Graph", "steps": 1, "compile": True}
GIVEN_BY_BUILD = {"estimator"}  # parts that are arguments of other parts


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
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if module == "torch.optim":  # which take more than we offer
        assert arguments <= taken
    else:
        assert arguments == taken - GIVEN_BY_BUILD - set(getattr(model, "takes", ()))


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


def test_every_activation_and_initialization_that_is_allowed_exists():
    for key, names in (("activation", ACTIVATIONS), ("initialization", INITIALIZATIONS)):
        assert allowed(NetworkConfig.model_fields[key]) == ", ".join(names)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "key", "field"), [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in every_field()]
)
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
    ("", "epochs", 0, 1, "a whole number from 1 to"),
    ("", "epochs", -3, 1, "a whole number from 1 to"),
    ("", "epochs", 2.0, 2, "a whole number from 1 to"),
    ("", "epochs", True, 1, "a whole number from 1 to"),
    ("", "epochs", None, 1, "a whole number from 1 to"),
    ("", "batch_size", 0, 1, "a whole number from 1 to"),
    ("", "seed", -1, 0, "a whole number from 0 to 4_294_967_295"),
    ("", "seed", 2**32, 2**32 - 1, "a whole number from 0 to 4_294_967_295"),
    ("", "name", "a/../../b", "a/b", "a folder's name without '..'"),
    ("", "name", "", "x", "a folder's name"),
    ("", "device", "gpu", "cuda:1", "auto, cpu, cuda or cuda:N"),
    ("", "device", "cuda:x", "auto", "auto, cpu, cuda or cuda:N"),
    ("", "precision", "float16", "tf32", "float32, tf32, float64"),
    ("", "gradient_clip_norm", 0, None, "a number from 1e-30 to 1e30, or null"),
    ("", "gradient_draws", 1, 2, "0 or a whole number from 2 to 1_000_000"),
    ("", "patience", 0, None, "a whole number from 1 to 1_000_000_000, or null"),
    ("", "nll_samples", -1, 0, "a whole number from 0 to"),
    ("", "log_every", 0, 1, "a whole number from 1 to"),
    ("", "validate_every", 0, 1, "a whole number from 1 to"),
    ("", "checkpoint.minutes", 0, 0.001, "a number from 1e-30 to 1e30"),
    ("", "checkpoint.epochs", 0, None, "a whole number from 1 to 1_000_000_000, or null"),
    ("", "data.limit", 0, None, "a whole number from 1 to 1_000_000_000, or null"),
    ("", "data.placement", "gpu", "host", "auto, device, host"),
    ("", "data.height", 0, 12, "a whole number from 1 to"),
    ("", "data.train_size", 0, 1, "a whole number from 1 to"),
    ("", "data.validation_size", -1, 0, "a whole number from 0 to"),
    ("", "data.rectangle_height", [1, 2, 3], [1, 2], "a list of 2 values, each a whole number from 1 to"),
    ("", "data.rectangle_width", [0, 2], [1, 1], "a list of 2 values, each a whole number from 1 to"),
    ("", "latent.code_size", 0, 1, "a whole number from 1 to"),
    ("", "latent.code_size", 2.5, 2, "a whole number from 1 to"),
    ("", "network.hidden", [0], [1], "a list of at most 100 whole numbers from 1 to 1_000_000"),
    ("", "network.hidden", [8, "x"], [], "a list of at most 100 whole numbers from 1 to 1_000_000"),
    ("", "network.activation", "relo", "relu", "relu, leaky_relu, elu"),
    ("", "network.mean_bias", 1, False, "true or false"),
    ("", "objective.beta", -0.1, 0, "a number from 0 to"),
    ("", "objective.samples", 0, 1, "a whole number from 1 to"),
    ("", "objective.free_bits", math.inf, 0.5, "a number from 0 to"),
    ("", "optimizer.lr", 0, 1e-9, "a number from 1e-30 to 1e30"),
    ("", "optimizer.lr", -0.1, 1, "a number from 1e-30 to 1e30"),
    ("", "optimizer.lr", math.nan, 0.1, "a number from 1e-30 to 1e30"),
    ("", "optimizer.lr", math.inf, 0.1, "a number from 1e-30 to 1e30"),
    ("", "optimizer.betas", [0.9], [0.9, 0.99], "a list of 2 values"),
    ("", "optimizer.betas", [0.9, 1.0], [0.0, 0.0], "a list of 2 values"),
    ("", "optimizer.weight_decay", -1, 0, "a number from 0 to"),
    ("", "schedule.warmup_steps", -1, 0, "a whole number from 0 to"),
    ("latent=bernoulli", "latent.temperature", -1, 0.1, "a number from 0.0001 to 10000"),
    ("latent=bernoulli", "estimator.anneal_rate", -1, 0, "a number from 0 to"),
    ("latent=bernoulli", "estimator.minimum_temperature", 0, 0.01, "a number from 0.0001 to 10000"),
    ("estimator=reinforce", "estimator.baseline", "mean", "moving_average", "moving_average, leave_one_out"),
    ("estimator=reinforce", "estimator.decay", 2, 1.0, "a number from 0 to 1"),
    ("corruption=masking", "corruption.fraction", 1.1, 1.0, "a number from 0 to 1"),
    ("corruption=gaussian", "corruption.std", 0, 0.1, "a number from 1e-6 to 10"),
    ("schedule=step", "schedule.every_steps", 0, 1, "a whole number from 1 to"),
    ("schedule=step", "schedule.factor", 0, 1.0, "a number from 1e-30 to 1"),
    ("schedule=cosine", "schedule.minimum", 2, 0.5, "a number from 0 to 1"),
    ("likelihood=gaussian", "likelihood.min_log_std", "x", -2.5, "or null"),
    ("data=mnist", "data.binarization", "on", "dynamic", "none, threshold, dynamic, fixed"),
    ("data=mnist", "data.dataset", "Kmnist", "FashionMNIST", "MNIST, FashionMNIST"),
    ("data=arrays", "data.path", None, "x.npz", "a text"),
    ("data=arrays", "data.fractions", [0.8, 0.2], [0.8, 0.2, 0.0], "a list of 3 values"),
    ("network=conv", "network.hidden", 0, 1, "a whole number from 1 to"),
    ("network=conv", "network.channels", [0], [1], "each a whole number from 1 to"),
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
        (
            ["latent=bernoulli", "latent.temperature=0"],
            ["latent.temperature=0", "a number from 0.0001 to 10000"],
        ),
        (["latent.code_size={a:1}"], ["latent.code_size={a: 1}", "a whole number from 1 to"]),
        (["epochs=many"], ["epochs=many", "a whole number from 1 to"]),
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
    ("estimator=disarm", {"objective.samples": 3}, ["objective.samples=3", "disarm takes a multiple of 2"]),
    ("estimator=arms", {"objective.samples": 1}, ["objective.samples=1", "arms takes at least 2"]),
    ("estimator=local_expectation", {"objective.samples": 3}, ["objective.samples=3", "a multiple of 4"]),
    ("estimator=rebar", {"estimator.coupled": False}, ["objective.samples=2", "rebar takes a multiple of 3"]),
    ("estimator=exact", {"latent.code_size": 15}, ["latent.code_size=15", "2^15 codes", "16,384"]),
    ("estimator=exact", {"latent.code_size": 10**6}, ["latent.code_size=1000000", "2^1000000 codes"]),
    ("estimator=exact", {"objective.samples": 2}, ["objective.samples=2", "takes no samples"]),
    ("estimator=stl", {"objective.kl": "analytic"}, ["estimator=stl", "objective.kl=sampled"]),
    ("estimator=concrete", {"objective.kl": "sampled"}, ["estimator=concrete", "objective.kl=analytic"]),
    ("estimator=ovis", {"objective.groups": 2}, ["estimator=ovis", "objective.groups=1"]),
    ("objective=iwae", {"objective.groups": 3}, ["objective.samples=5", "objective.groups=3"]),
    ("objective=elbo", {"objective.kl": "sampled", "objective.free_bits": 1.0}, ["objective.free_bits=1.0"]),
    ("latent=deterministic", {"objective.kl": "sampled"}, ["objective.kl=sampled", "latent=deterministic"]),
    ("estimator=rebar", {"runtime": COMPILED}, ["runtime=compile", "estimator=rebar", "runtime=eager"]),
    ("estimator=relax", {"runtime": COMPILED_GRAPH}, ["runtime=graph", "estimator=relax"]),
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
    (
        "network=conv",
        {"network.channels": []},
        ["network.channels=[] is not allowed", "a list of 1 to 16 values"],
    ),
    (
        "network=conv",
        {"network.channels": [2] * 5},
        ["network.channels=[2, 2, 2, 2, 2]", "images of 24", "allowed are 4"],
    ),
    ("", {"network.slope": 0.3}, ["network.slope=0.3 is of network.activation=leaky_relu", "relu"]),
    ("network=conv", {"network.slope": 0.3}, ["network.slope=0.3 is of network.activation=leaky_relu"]),
    (
        "optimizer=sgd",
        {"optimizer.nesterov": True, "optimizer.momentum": 0},
        ["optimizer.nesterov=true", "momentum"],
    ),
    (
        "",
        {"optimizer._target_": "torch.optim.LBFGS"},
        ["optimizer._target_=torch.optim.LBFGS", "several times a step"],
    ),
    ("", {"optimizer._target_": "torch.optim.SparseAdam"}, ["torch.optim.SparseAdam", "sparse gradients"]),
    ("", {"data.exclude_classes": [1]}, ["data.exclude_classes=[1]", "data=rectangles has no labels"]),
    ("data=mnist", {"data.exclude_classes": [3, 10]}, ["data.exclude_classes=[3, 10]", "no class 10"]),
    ("data=mnist", {"data.exclude_classes": [*range(10)]}, ["data.exclude_classes=[0,", "leaves no images"]),
    ("data=mnist", {"data.exclude_classes": [1], "data.binarization": "fixed"}, ["data=mnist has no labels"]),
    (
        "",
        {"data.validation_size": 0, "patience": 3},
        ["patience=3 needs validation images", "data.validation_size"],
    ),
    (
        "data=mnist",
        {"data.validation_size": 0, "gradient_draws": 9},
        ["gradient_draws=9", "data.validation_size"],
    ),
]


def test_the_fixed_binarization_of_mnist_has_validation_images_of_its_own():
    values = {"data.validation_size": 0, "data.binarization": "fixed", "patience": 3}
    assert run_config(put(option("data=mnist"), values)).patience == 3


@pytest.mark.parametrize(("part", "values", "words"), CONTRADICTIONS, ids=lambda v: str(v)[:40])
def test_contradictions_are_refused(part, values, words):
    with pytest.raises(UserError) as error:
        run_config(put(option(part or "latent=gaussian"), values))
    for word in words:
        assert word in str(error.value)
