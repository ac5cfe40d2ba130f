"""Every number of every command has bounds on both sides: beyond every sensible use, and inside what a machine can take."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from config.composed import composed, every_field, option, put, small
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from torch import Generator

from vae_cli.build import _model, build
from vae_cli.config.compose import run_config
from vae_cli.config.schema.commands import CompareConfig, EvalConfig
from vae_cli.config.schema.messages import allowed
from vae_cli.config.schema.part import Checked
from vae_cli.config.schema.run import CallConfig
from vae_cli.config.schema.sweeps import PackedLauncherConfig, SearchConfig
from vae_cli.engine.state import State
from vae_cli.engine.step import train_step
from vae_cli.errors import UserError

COMMANDS = (CallConfig, EvalConfig, CompareConfig, PackedLauncherConfig, SearchConfig)
BOUNDS = {  # of a type of JSON's
    "integer": ("minimum", "maximum"), "number": ("minimum", "maximum"), "array": ("maxItems",),
    "string": ("maxLength",),
}  # fmt: skip
FIELDS = [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in every_field()]


def models() -> list[type[Checked]]:
    found: list[type[Checked]] = [Checked]
    for model in found:
        found += [each for each in model.__subclasses__() if not each.__name__.startswith("External")]
    return found


def types(schema: Any) -> Iterator[dict[str, Any]]:
    """All types inside a JSON schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for each in schema.values():
            yield from types(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from types(each)


def schema_of(field: FieldInfo) -> dict[str, Any]:
    return TypeAdapter(field.rebuild_annotation()).json_schema()


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_number_list_and_text_has_bounds(model):
    """So that a new key without them fails here."""
    for each in types(model.model_json_schema()):
        fixed = each.keys() & {"const", "enum", "pattern"}
        for bound in BOUNDS.get(each["type"], ()):
            assert fixed or math.isfinite(each[bound]), each


def numbers(field: FieldInfo) -> list[dict[str, Any]]:
    """The types of a field that are numbers; none where it is a list."""
    found = list(types(schema_of(field)))
    return [each for each in found if each["type"] in ("integer", "number")] * (
        "array" not in [each["type"] for each in found]
    )


def beyond(number: dict[str, Any]) -> list[float]:
    low, high = number["minimum"], number["maximum"]
    if number["type"] == "integer":
        return [low - 1, high + 1, 2**63, -(2**63) - 1, 10**400]
    return [low - 1, math.nextafter(low, -math.inf), math.nextafter(high, math.inf), 1e39, -1e39, 1e308]


@pytest.mark.parametrize(("part", "key", "field"), FIELDS)
def test_what_is_beyond_a_bound_is_refused_in_one_sentence_and_a_bound_is_not(part, key, field):
    for number in numbers(field):
        for value in beyond(number):
            with pytest.raises(UserError) as error:
                run_config(put(option(part), {key: value}))
            assert str(error.value) == f"{key}={value} is not allowed; allowed is {allowed(field)}"
        for bound in (number["minimum"], number["maximum"]):
            try:
                run_config(put(option(part), {key: bound}))
            except UserError as error:  # it may contradict other keys
                assert "allowed is a" not in str(error)


@pytest.mark.parametrize("model", COMMANDS, ids=lambda model: model.__name__)
def test_the_keys_of_the_commands_are_bounded_in_the_same_way(model):
    for field in model.model_fields.values():
        for number in numbers(field):
            for value in beyond(number):
                with pytest.raises(ValueError, match=r"less than or equal|greater than or equal"):
                    TypeAdapter(field.rebuild_annotation()).validate_python(value, strict=True)
            assert str(allowed(field)).count(" to ") == 1


# --- no overflow at a bound ---------------------------------------------------------------------------------

# too large a learning rate is no overflow of a single number: it depends on the model, and is explained when it diverges
BESIDE = {"network.slope": {"network.activation": "leaky_relu"}}  # what a key needs
ALONE = {"optimizer.lr", "estimator.control_lr"}


def at_bounds() -> list[Any]:
    """Of all parts but data, whose numbers are in no step."""
    found = []
    for part, key, field in every_field():
        for number in numbers(field):
            if number["type"] == "number" and key not in ALONE and not part.startswith("data="):
                found += [
                    pytest.param(part, key, number[side], id=f"{part} {key}={number[side]:g}")
                    for side in ("minimum", "maximum")
                ]
    return found


@pytest.mark.parametrize(("part", "key", "value"), at_bounds())
def test_a_number_at_its_bound_gives_finite_steps(part, key, value):
    config = small(put(option(part), {key: value, **BESIDE.get(key, {})}))
    experiment = build(run_config(config))
    state = State(experiment, Generator().manual_seed(0))
    for _ in range(4):
        assert train_step(state, experiment.data.train.images).isfinite().all()
    assert all(parameter.isfinite().all() for parameter in experiment.model.parameters())


# --- what is inside the bounds, but not inside this machine -------------------------------------------------

HUGE = [
    ("", {"latent.code_size": 10**6, "network.hidden": [10**6]}, ["latent.code_size=1000000 needs about 48 TB for parameters", "lower latent.code_size or network.hidden"]),
    ("", {"network.hidden": [10**6, 10**6]}, ["network.hidden=[1000000, 1000000] needs about 32", "TB for parameters", "lower network.hidden"]),
    ("", {"network.hidden": [10**6] * 100}, ["network.hidden=[1000000, 1000000", "PB for parameters"]),
    ("latent=categorical", {"latent.code_size": 10**6, "latent.categories": 10**6}, ["latent.code_size=1000000 needs about", "TB for parameters", "latent.categories"]),
    ("network=conv", {"network.channels": [10**6] * 3}, ["network.channels=[1000000, 1000000, 1000000] needs about", "PB for parameters"]),
    ("network=conv", {"network.hidden": 10**6, "network.channels": [10**5]}, ["network.hidden=1000000 needs about", "TB for parameters"]),
    ("", {"objective.samples": 10**6, "data.train_size": 5000, "batch_size": 5000}, ["objective.samples=1000000 needs about", "for a batch", "lower objective.samples"]),
    ("", {"data.train_size": 10**9}, ["data.train_size=1000000000 needs about 64 GB for images", "lower data.train_size"]),
    ("", {"data.height": 10**4, "data.width": 10**4, "data.train_size": 10**6}, ["needs about 100 TB for images", "lower data.train_size or data.height"]),
    ("", {"data.height": 10**4, "data.width": 10**4, "data.train_size": 10**9}, ["needs about 100 PB for images"]),
]  # fmt: skip


@pytest.mark.parametrize(("part", "values", "words"), HUGE, ids=str)
def test_what_does_not_fit_into_memory_is_refused_with_the_figure_and_the_key(part, values, words):
    config = run_config(put(small(option(part or "latent=gaussian")), values))
    with pytest.raises(UserError) as error:
        build(config)
    for word in (*words, "are free on cpu"):
        assert word in str(error.value)
    assert len(str(error.value)) < 300


def test_a_batch_that_is_larger_than_the_data_needs_what_the_data_need():
    build(run_config(put(small(composed()), {"batch_size": 10**9})))


def test_the_estimate_changes_nothing_that_a_seed_decides():
    """Neither does it draw random numbers, nor does it leave traces in what was built."""
    network = ("network=conv", "network.initialization=orthogonal", "network.mean_bias=false")
    config = run_config(small(composed(*network)))
    torch.manual_seed(config.seed)
    plain = _model(config, (1, 8, 8)).state_dict()
    built = build(config).model.state_dict()
    assert all(torch.equal(plain[name], built[name]) for name in plain)
