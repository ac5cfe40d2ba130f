"""What to say of a key that there is not."""

from collections.abc import Iterable

from vae_cli.config.yaml_comments import config_folder, groups
from vae_cli.errors import did_you_mean


def no_such_key(key: str, names: Iterable[str], what: str = "key") -> str:
    """`names` are the keys that there are in all: a key of another option is one of them."""
    group, _, name = key.partition(".")
    if others := _options_with(group, name):
        return f"there is no {what} {key!r} in the {group} that is chosen; {_listed(group, others)}"
    return f"there is no {what} {key!r}{did_you_mean(key, names)}"


def _options_with(group: str, name: str) -> list[str]:
    options = groups(config_folder()).get(group, []) if name else []
    return [option.name for option in options if name in {key.key for key in option.keys}]


def _listed(group: str, options: list[str]) -> str:
    return (
        f"{', '.join(f'{group}={option}' for option in options)} {'has' if len(options) == 1 else 'have'} it"
    )
