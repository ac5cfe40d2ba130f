"""The entrances of the three commands; `python -m vae_cli` is vae-train.

`--help` is answered here, from the YAML files alone: importing Hydra and pydantic takes longer than anything else it does.
"""

import sys

from vae_cli.config import help
from vae_cli.config.arguments import asks_for_help
from vae_cli.config.yaml_comments import config_folder


def train() -> None:
    """vae-train"""
    if not _helped("config"):
        from vae_cli import cli

        cli.train()


def evaluate() -> None:
    """vae-eval"""
    if not _helped("eval"):
        from vae_cli import cli

        cli.evaluate()


def compare() -> None:
    """vae-compare"""
    if not _helped("compare"):
        from vae_cli import cli

        cli.compare()


def _helped(config: str) -> bool:
    if asks := asks_for_help(sys.argv[1:]):
        print(help.text(config_folder(), config, sys.argv[1:]))
    return asks


if __name__ == "__main__":
    train()
