"""Every failure as one line on stderr and an exit status; what to say of errors that Hydra and others raise."""

import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from vae_cli.config.yaml_comments import PACKAGE
from vae_cli.errors import COMPLAINTS, LONGEST, RunFailed, UserError, did_you_mean, is_interruption, printable

TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"  # what the user asked for, before we set it
EXTRAS = {
    "hydra/launcher=joblib": "joblib",
    "hydra/launcher=submitit_slurm": "slurm",
    "hydra/launcher=submitit_local": "slurm",
    "hydra/launcher=ray": "ray",
    "hydra/sweeper=optuna": "optuna",
}
# what launchers raise, by name: they need not be installed
GAVE_UP = ("TerminatedWorkerError", "WorkerCrashedError", "UncompletedJobError", "FailedJobError")
NO_TRIAL = ("No trials are completed yet.", "Record does not exist.")  # Optuna, asked for a search's best
STARTERS = ("__main__.py", "cli.py", "config")  # of this package: what runs before Hydra calls our work
INTERRUPTED = 130  # exit status
T = TypeVar("T")


def reported(program: str, work: Callable[[], T]) -> T:
    """Run; turn every failure into one line on stderr and an exit status: 2 bad input, 1 failed or diverged,
    INTERRUPTED. HYDRA_FULL_ERROR=1 shows tracebacks instead."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing
    try:
        return work()
    except KeyboardInterrupt as error:
        complain(program, str(error) or "interrupted", longest=None)  # it ends in a command to copy
        sys.exit(INTERRUPTED)
    except Exception as error:
        if is_interruption(error):
            complain(program, "interrupted")
            sys.exit(INTERRUPTED)
        if TRACEBACKS:
            raise
        error = _of_a_callback(error)
        if message := one_line(error, program):
            complain(program, message)
            bad_input = isinstance(error, UserError | HydraException | OmegaConfBaseException | ValueError)
            sys.exit(2 if bad_input and str(error) not in NO_TRIAL else 1)
        if message := _before_our_work(error):
            complain(program, message)
            sys.exit(2)
        traceback.print_exc()
        complain(program, f"this is a fault of vae-cli, please report it: {type(error).__name__}: {error}")
        sys.exit(1)


def _of_a_callback(error: Exception) -> Exception:
    """Hydra turns the error of a callback into a warning, which `prepare_hydra` turns into an error."""
    of_a_callback = isinstance(error, UserWarning) and isinstance(error.__context__, Exception)
    return error.__context__ if of_a_callback else error  # type: ignore[return-value]  # as just asked


def _before_our_work(error: Exception) -> str | None:
    """What to say of an error of Hydra, or of what Hydra calls, where none of our own work had begun."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [file.relative_to(PACKAGE) for file in files if file.is_relative_to(PACKAGE)]
    if any(file.parts[0] not in STARTERS for file in ours):
        return None
    given = [word for word in sys.argv[1:] if word.lstrip("+~").startswith("hydra")]
    return f"Hydra cannot go on{' with ' if given else ''}{' '.join(given)}: {type(error).__name__}: {error}"


def complain(program: str, message: str, longest: int | None = LONGEST) -> None:
    """One line on stderr, which cannot control the terminal."""
    line = re.sub(r"\s*\n\s*", " ", f"{program}: {message}")
    COMPLAINTS.append(line)
    print(printable(line, longest), file=sys.stderr)


def one_line(error: Exception, program: str = "vae-train") -> str | None:
    """What to say of an error that has its cause outside this program; None for one that has not."""
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = list(error.options)
        if group == "hydra/sweeper/sampler" and not options:  # what our hydra/sweeper=optuna builds on
            group, option = "hydra/sweeper", "optuna"
        if f"{group}={option}" in EXTRAS:
            return needs_an_extra(f"{group}={option}")
        return (
            f"there is no {group}={option}; allowed are {', '.join(options)}{did_you_mean(option, options)}"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return f"--config-name={error.missing_cfg_file}: there is no configuration of this name in the folder of --config-path"
    if isinstance(error, UserWarning) and (found := re.search(r"path=(.*) is not available", str(error))):
        return f"hydra.searchpath: there is no folder {found[1]}"
    if found := re.search(r"An item is already at '([^']+)'", str(error)):
        return f"{found[1]} exists: write it without the leading +, {found[1]}=VALUE"
    if isinstance(error, ConfigCompositionException) and (
        found := re.search(r"override '([^']+)'", str(error))
    ):
        return _cannot_override(found[1], program)
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return "a group takes the name of one of its options: group=OPTION"
    if isinstance(error, ValueError) and str(error) in NO_TRIAL:
        return "no trial of the search has a result; the table of its members says why"
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: write key=value; a list is written key=[a,b]"
    if isinstance(error, OmegaConfBaseException):
        return of_omegaconf(error)
    if isinstance(error, HydraException) and isinstance(error.__cause__, OmegaConfBaseException):
        return of_omegaconf(error.__cause__)
    if isinstance(error, HydraException):
        return " ".join(f"{error} {error.__cause__ or ''}".split())
    if isinstance(error, OSError):
        return _of_the_system(error)
    if type(error).__name__ in GAVE_UP:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]
        return f"the launcher gave up: {reason}; the same command goes on with what is unfinished"
    return str(error) if isinstance(error, UserError | RunFailed) else None


def _cannot_override(override: str, program: str) -> str:
    from vae_cli.config.schema.run import GROUPS
    from vae_cli.config.unknown_keys import no_such_key

    key, at, _ = override.partition("@")
    if at:
        return f"there is no {override!r}: {key}=OPTION chooses, without {at}"
    if key in (*GROUPS, "experiment"):
        return f"{key} takes the name of one of its options: {key}=OPTION"
    if key.startswith("hydra."):
        return f"there is no key {key!r}; {program} --cfg hydra shows Hydra's keys"
    if "." not in key and key in known_names(program):
        return f"the folder of --config-dir has a folder {key!r}, which Hydra takes for a group of options: name another one"
    return no_such_key(key, known_names(program), "key or group")


def of_omegaconf(error: OmegaConfBaseException) -> str:
    """The key, and what OmegaConf says of it, without its types."""
    key = str(error.full_key or "")
    if isinstance(error, MissingMandatoryValue):
        key = key or str(error).rpartition(" ")[2]
        return f"{key} must be given: {key}=VALUE"
    reason, *_ = str(error.msg or error).splitlines() or [type(error).__name__]
    return f"{key}: {reason}" if key and key not in reason else reason


def _of_the_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}: {error.filename}" if error.filename else reason


def known_names(program: str) -> list[str]:
    """What may stand before `=` on the command line of a program."""
    from vae_cli.config.schema.commands import (  # here: pydantic takes 0.1 s to be imported
        CompareConfig,
        EvalConfig,
    )
    from vae_cli.config.schema.keys import call_keys, command_keys, roles
    from vae_cli.config.schema.run import GROUPS

    if program == "vae-train":
        return [*GROUPS, "experiment", *roles(), *call_keys()]
    return command_keys(EvalConfig if program == "vae-eval" else CompareConfig)


def needs_an_extra(option: str) -> str:
    return f"{option} needs an extra: pip install 'vae-cli[{EXTRAS[option]}]'"
