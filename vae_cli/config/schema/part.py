"""One option of a group: the model of its keys, found by its `_target_`."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from vae_cli.config.schema.fields import Plain, Role, Text
from vae_cli.errors import did_you_mean

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

NO_ROLE = Role()


class Checked(BaseModel):
    """Frozen, strict (no text for a number), and no key but those declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    def plain(self) -> Plain:
        """The nested dictionary as YAML has it."""
        return self.model_dump(by_alias=True, serialize_as_any=True)


class Part(Checked):
    """Base of all options. A group has a subclass (`LatentConfig`), and each of its options a subclass of that one."""

    group: ClassVar[str]
    role: ClassVar[Role] = NO_ROLE  # of all keys of the option, where it is not NO_ROLE
    trusted: ClassVar[str] = ""  # a module whose other classes may be named, too

    name: Text
    target: Text = Field(alias="_target_")

    @classmethod
    def options(cls) -> dict[str, type[Self]]:
        """`_target_` → the model of that option, for all options of this group."""
        found: dict[str, type[Self]] = {}
        for option in cls.__subclasses__():
            if targets := get_args(option.model_fields["target"].annotation):
                found[targets[0]] = option
            found |= option.options()
        return found

    @classmethod
    def checked(cls, value: Any, info: ValidationInfo) -> Self:
        """The option that `_target_` names. A target of the user's own needs `external_targets` in the context."""
        if isinstance(value, cls):
            return value
        target = value.get("_target_") if isinstance(value, dict) else None
        if not isinstance(target, str):
            raise PydanticCustomError(
                "no_option", "{group} must be given: {group}=OPTION", {"group": cls.group}
            )
        if (option := cls.options().get(target)) is not None:
            return option.model_validate(value, context=info.context)
        own = bool(info.context and info.context.get("external_targets"))
        if own or (cls.trusted and target.rpartition(".")[0] == cls.trusted):
            return cls.external().model_validate(value, context=info.context)
        given = {
            "group": cls.group,
            "target": target,
            "allowed": ", ".join(cls.options()),
            "hint": did_you_mean(target, cls.options()),
        }
        raise PydanticCustomError(
            "external_target",
            "{group}._target_={target} is not part of vae-cli; allowed are {allowed}{hint} "
            "(external_targets=true also allows your own class, and runs its code)",
            given,
        )

    @classmethod
    @cache
    def external(cls) -> type[Self]:
        """The model of an option that is not ours: the group's own keys are checked, all others go to its constructor."""
        config = ConfigDict(extra="allow")
        return type(f"External{cls.__name__}", (cls,), {"__module__": cls.__module__, "model_config": config})

    @property
    def is_ours(self) -> bool:
        return type(self).model_config.get("extra") == "forbid"

    def arguments(self) -> Plain:
        """What the part's constructor takes."""
        named = {
            key: getattr(self, key)
            for key, field in type(self).model_fields.items()
            if key not in ("name", "target") and role_of(field).argument
        }
        return named | (self.model_extra or {})

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        """What is wrong beside the other parts, one sentence each."""
        yield from ()


def role_of(field: Any) -> Role:
    """The role in a field's metadata."""
    return next((each for each in field.metadata if isinstance(each, Role)), NO_ROLE)


def sizes(config: Checked, prefix: str = "") -> Plain:
    """The keys that the memory which a run needs grows with, and their values."""
    fields = type(config).model_fields
    return {f"{prefix}{key}": getattr(config, key) for key, field in fields.items() if role_of(field).size}
