"""The entrances of the three commands; `python -m vae_cli` is vae-train.

`--help` is answered here, from the YAML files alone: importing Hydra and pydantic takes longer than anything else it does.
"""

import signal
import sys

from vae_cli.config import help
from vae_cli.config.arguments import asks_for_help
from vae_cli.config.yaml_comments import config_folder


def train() -> None:
    """vae-train"""
    _command("train", "config")


def evaluate() -> None:
    """vae-eval"""
    _command("evaluate", "eval")


def compare() -> None:
    """vae-compare"""
    _command("compare", "compare")


def _command(name: str, config: str) -> None:
    try:
        if not _helped(config):
            from vae_cli import cli

            getattr(cli, name)()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python itself needs 0.4 s to end, and must not print tracebacks


def _helped(config: str) -> bool:
    if asks := asks_for_help(sys.argv[1:]):
        print(help.text(config_folder(), config, sys.argv[1:]))
    return asks


if __name__ == "__main__":
    train()
