"""The entrances of the three commands; `python -m vae_cli` is vae-train.

`--help` is answered here, from the YAML files alone: importing Hydra and pydantic takes longer than anything else it does.
What is imported is imported inside of a function, so that Ctrl-C is answered from the beginning.
"""

import signal
import sys

# flags that only print
PRINTED = {"-h", "--help", "--version", "--cfg", "-c", "--info", "-i", "--hydra-help"}


def train() -> None:
    """vae-train"""
    _command("vae-train", "train", "config")


def evaluate() -> None:
    """vae-eval"""
    _command("vae-eval", "evaluate", "eval")


def compare() -> None:
    """vae-compare"""
    _command("vae-compare", "compare", "compare")


def _command(program: str, name: str, config: str) -> None:
    try:
        from vae_cli.config import environment, finalizers, streams

        streams.prepare()
        finalizers.raise_again()
        environment.unset_empty()
        if not _answered(program, config):
            from vae_cli import cli

            getattr(cli, name)()
        sys.stdout.flush()
        if streams.LOST and PRINTED & {word.partition("=")[0] for word in sys.argv[1:]}:
            sys.exit(1)
    except KeyboardInterrupt:
        if not _has_complained():
            print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:  # such as too few open files for an import
        print(f"{program}: {error.strerror}: {error.filename}", file=sys.stderr)
        sys.exit(1)
    finally:
        _end_silently()


def _end_silently() -> None:
    """Python itself needs 0.4 s to end, and a signal must not have it print tracebacks."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
    except KeyboardInterrupt:
        _end_silently()


def _has_complained() -> bool:
    """Whether a line on stderr has said why the command ends: a second Ctrl-C adds none."""
    errors = sys.modules.get("vae_cli.errors")
    return bool(getattr(errors, "COMPLAINTS", False))


def _answered(program: str, config: str) -> bool:
    """Whether the command line asked for the help, or for the version."""
    from vae_cli.config.arguments import asks_for_help

    arguments = sys.argv[1:]
    if asks_for_help(arguments):
        from vae_cli.config import help
        from vae_cli.config.yaml_comments import config_folder
        from vae_cli.errors import LONGEST, UserError, printable

        try:
            print(help.text(config_folder(), config, arguments))
        except UserError as error:
            print(printable(f"{program}: {error}", LONGEST), file=sys.stderr)
            sys.exit(2)
    elif "--version" in arguments:
        from vae_cli.version import __version__

        print(f"vae-cli {__version__}")
    else:
        return False
    return True


if __name__ == "__main__":
    train()
