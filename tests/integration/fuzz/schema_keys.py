"""The keys and options that there are, from the schema and the YAML files."""

from functools import cache

import yaml
from integration.fuzz.values import Kind, kinds

from vae_cli.config.schema.part import Checked
from vae_cli.config.schema.run import GROUPS
from vae_cli.config.yaml_comments import config_folder

TOO_SLOW = {"compile"}  # takes half a minute


def fields(model: type[Checked], prefix: str = "") -> dict[str, tuple[Kind, ...]]:
    found = {}
    for name, field in model.model_fields.items():
        below = field.annotation
        if isinstance(below, type) and issubclass(below, Checked):
            if name not in (*GROUPS, "checkpoint"):
                found |= fields(below, f"{prefix}{name}.")
        elif name not in ("name", "target") or not prefix:
            found[f"{prefix}{name}"] = kinds(field.annotation, field.metadata)
    return found


@cache
def options_of(group: str) -> dict[str, str]:
    """Name → `_target_`."""
    files = {file.stem: yaml.safe_load(file.read_text()) for file in (config_folder() / group).glob("*.yaml")}
    return {
        name: content.get("_target_") or files[content["defaults"][0]]["_target_"]
        for name, content in files.items()
    }


def option_of(group: str, names: dict[str, str]) -> str:
    """The option that is chosen, or the default; a latent brings its own estimator."""
    if group == "estimator" and group not in names:
        latent = yaml.safe_load((config_folder() / f"latent/{names['latent']}.yaml").read_text())
        return next(each["/estimator@_global_.estimator"] for each in latent["defaults"])
    whole = yaml.safe_load((config_folder() / "config.yaml").read_text())["defaults"]
    return names.get(group) or next(each[group] for each in whole if isinstance(each, dict) and group in each)
