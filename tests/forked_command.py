"""What a fork of the command server does: it becomes one of the three commands."""

import atexit
import importlib
import os
import resource
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

IMPORTED = (  # what the commands import where they need it
    "matplotlib.backends.backend_agg", "matplotlib.figure", "torch._dynamo", "torch.utils.tensorboard", "tqdm",
    "vae_cli.cli", "vae_cli.comparison.compare", "vae_cli.data.arrays", "vae_cli.data.mnist", "vae_cli.data.rectangles",
    "vae_cli.evaluation.evaluate", "vae_cli.models.latents.gaussian", "vae_cli.models.networks", "vae_cli.objectives.elbo",
    "vae_cli.training.console", "vae_cli.training.final", "vae_cli.training.logger", "vae_cli.training.run", "vae_cli.training.trainer",
)  # fmt: skip


def import_all() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    from vae_cli.config.compose import prepare_hydra

    compiler = sys.modules["torch._dynamo.utils"]
    atexit.unregister(compiler.dump_compile_times)  # most commands would not have imported it
    prepare_hydra()


def carry_out(request: dict[str, Any]) -> NoReturn:
    """In the fork: be the command, and end as Python ends, but for taking down modules, which takes 0.4 s."""
    try:
        command = _become(request)
    except KeyboardInterrupt:  # before the first line of the command: as Python ends
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    status = 1
    try:
        try:
            command()
            status = 0
        finally:
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does at its end
            atexit._run_exitfuncs()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _become(request: dict[str, Any]) -> Callable[[], None]:
    """The command, once its folder, environment, limits, streams and arguments are in place."""
    from vae_cli import __main__ as commands

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update({key: value for key, value in request["env"].items() if value is not None})
    for key, value in request["env"].items():
        if value is None:
            os.environ.pop(key, None)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, file in enumerate(request["streams"], 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(request["cwd"])
    if before := request["before"]:
        file, arguments = before
        runpy.run_path(file)["install"](*arguments)
    for name, value in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    program, *arguments = sys.argv = request["arguments"]
    if request["cold"]:
        script = str(Path(sys.executable).with_name(program))
        os.execv(script, [script, *arguments])
    programs = {"vae-train": commands.train, "vae-eval": commands.evaluate, "vae-compare": commands.compare}
    return programs.get(program) or (lambda: exec(sys.argv[1], {"__name__": "__main__"}))  # python CODE
