"""What differs between two configurations."""

from collections.abc import Mapping
from typing import Any

from vae_cli.config.saved import upgraded
from vae_cli.config.schema.fields import Plain
from vae_cli.config.schema.keys import call_keys, role
from vae_cli.config.schema.messages import show
from vae_cli.config.schema.run import GROUPS, RunConfig

NESTED = (*GROUPS, "checkpoint")


def flatten(config: Mapping[str, Any]) -> Plain:
    """{"latent": {"code_size": 2}} → {"latent.code_size": 2}. Groups and `checkpoint` are opened, nothing else."""
    flat: Plain = {}
    for name, value in config.items():
        if name in NESTED and isinstance(value, Mapping):
            flat |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            flat[name] = value
    return flat


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """One phrase for each key that differs, but for those that may change when a run is resumed. Both are plain
    dictionaries; `saved` may be an earlier version's."""
    a, b = flatten(upgraded(saved)), flatten(upgraded(current))
    return [
        f"{key} was {show(a.get(key))} and is {show(b.get(key))}"
        for key in sorted(a.keys() | b.keys())
        if a.get(key) != b.get(key) and key not in call_keys() and not role(key).resumable
    ]


def compares(key: str) -> bool:
    """Whether a key tells one run from another: in TensorBoard's HPARAMS tab, and as a column of vae-compare."""
    return key not in call_keys() and not role(key).technical


def pack_signature(config: RunConfig) -> str:
    """Equal for two configurations whose runs can be members of one packed model: what a member may differ in is left out."""
    shared = {
        key: value
        for key, value in flatten(config.plain()).items()
        if not role(key).member or (key == "latent.code_size" and not config.packs_code_sizes())
    }
    return repr(sorted(shared.items(), key=lambda item: item[0]))
