"""All keys of a run with their roles, from the fields of the models."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from vae_cli.config.schema.fields import Role
from vae_cli.config.schema.part import Checked, Part, role_of
from vae_cli.config.schema.run import GROUP_CONFIGS, CallConfig, CheckpointConfig, RunConfig

TECHNICAL = Role(technical=True, argument=False)


@cache
def roles() -> dict[str, Role]:
    """Dotted key → role: plain keys first, then those of each group's options."""
    return dict(_keys())


def role(key: str) -> Role:
    """Of any key; an unknown one, as a user's own part may have, has no role but its group's."""
    if key in roles():
        return roles()[key]
    group = GROUP_CONFIGS.get(key.partition(".")[0])
    return group.role if group else Role()


def option_class(group: str, target: str) -> type[Part]:
    config = GROUP_CONFIGS[group]
    return config.options().get(target) or config.external()


def call_keys() -> list[str]:
    return list(CallConfig.model_fields)


def command_keys(model: type[Checked]) -> list[str]:
    """The dotted keys of a command's configuration."""
    keys = []
    for key, field in model.model_fields.items():
        below = field.annotation
        nested = isinstance(below, type) and issubclass(below, Checked)
        keys += [f"{key}.{name}" for name in below.model_fields] if nested else [key]  # type: ignore[union-attr]  # a model, as just asked
    return keys


def _keys() -> Iterator[tuple[str, Role]]:
    for key, field in RunConfig.model_fields.items():
        if key not in GROUP_CONFIGS and key != "checkpoint":
            yield key, role_of(field)
    for key, field in CheckpointConfig.model_fields.items():
        yield f"checkpoint.{key}", role_of(field)
    for group, base in GROUP_CONFIGS.items():
        for key, field in _fields(base).items():
            yield f"{group}.{key}", Role(*map(any, zip(role_of(field)[:3], base.role[:3], strict=True)))
    for group, base in GROUP_CONFIGS.items():
        yield f"{group}.name", base.role
        yield f"{group}._target_", TECHNICAL._replace(resumable=base.role.resumable, member=base.role.member)


def _fields(base: type[Part]) -> dict[str, Any]:
    """Of all options of a group, in the order in which they first appear."""
    found: dict[str, Any] = {}
    classes: tuple[type[Checked], ...] = (base, *base.options().values())
    for option in classes:
        found |= {
            k: f for k, f in option.model_fields.items() if k not in ("name", "target") and k not in found
        }
    return found
