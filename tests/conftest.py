"""Shared by all tests: float64 on request, marks, small configurations, the commands without the seconds that torch takes
to be imported, and three tiny runs."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from vae_cli.config import resolvers
from vae_cli.config.compose import accept, prepare_hydra
from vae_cli.config.schema.run import RunConfig
from vae_cli.config.yaml_comments import config_folder

SUBSET = Path(__file__).parent / "data"
TINY = ["network.hidden=[16]", "nll_samples=0", "epochs=2"]
MNIST = ["data=mnist", f"data.root={SUBSET}", "data.validation_size=100"]
SMALL_RECTANGLES = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.validation_size=20", "data.test_size=20",
)  # fmt: skip
SMALL_MODEL = (
    "network.hidden=[8]", "latent.code_size=3", "batch_size=8", "epochs=3", "nll_samples=4", "optimizer.lr=0.01",
)  # fmt: skip

Command = Callable[..., subprocess.CompletedProcess]


@functools.cache
def configured(*overrides: str) -> RunConfig:
    """The configuration of vae-train with these overrides."""
    prepare_hydra()
    resolvers.register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        return accept(hydra.compose("config", list(overrides)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skipped = {}
    if not torch.cuda.is_available():
        skipped["gpu"] = "needs CUDA, and this machine has none"
    if os.environ.get("VAE_CLI_LAUNCHERS") != "1":
        skipped["launchers"] = "takes minutes and starts clusters: make test-launchers"
    for item in items:
        for mark, reason in skipped.items():
            if item.get_closest_marker(mark):  # not item.keywords, which have the folders' names, too
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def float64():
    """Mathematics is tested in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def composed_by_hydra() -> Iterator[None]:
    """`hydra.compose` reads this package's configs."""
    GlobalHydra.instance().clear()
    prepare_hydra()
    resolvers.register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield


# One process imports torch; each command is then a child of it with its own arguments, folder, streams and status.
SERVER = """
import json, os, signal, sys, traceback
import matplotlib.backends.backend_agg, matplotlib.figure, torch._dynamo, torch.utils.tensorboard, tqdm
import vae_cli.cli, vae_cli.comparison.compare, vae_cli.data.arrays, vae_cli.data.mnist, vae_cli.data.rectangles, vae_cli.evaluation.evaluate
import vae_cli.models.latents.gaussian, vae_cli.models.networks, vae_cli.objectives.elbo, vae_cli.training.console
import vae_cli.training.final, vae_cli.training.logger, vae_cli.training.run, vae_cli.training.trainer
from vae_cli import __main__ as commands
from vae_cli.config.compose import prepare_hydra

prepare_hydra()

signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for name in ("stdout", "stderr"):
                file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(file, {"stdout": 1, "stderr": 2}[name])
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(request["cwd"])
            program, *_ = sys.argv = request["arguments"]
            try:
                {"vae-train": commands.train, "vae-eval": commands.evaluate, "vae-compare": commands.compare}[program]()
                status = 0
            except SystemExit as end:
                status = end.code or 0
            except BaseException:
                traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)
    signal.setitimer(signal.ITIMER_REAL, request["kill_after"])  # 0: never
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # not reaped yet: its number is no other process's
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def command(tmp_path_factory) -> Iterator[Command]:
    """`command("vae-eval", "run=…", cwd=folder)`: no network, no CUDA, one thread. With `kill_after` it gets a SIGKILL
    after so many seconds, and returns -9 unless it has ended before."""
    folder = tmp_path_factory.mktemp("streams")
    environment = {k: v for k, v in os.environ.items() if k not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")}
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONIOENCODING": "utf-8"}
    environment |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": ""}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None

    def run(*arguments: object, cwd: Path, kill_after: float | None = None) -> subprocess.CompletedProcess:
        files = {name: str(folder / name) for name in ("stdout", "stderr")}
        words = [str(argument) for argument in arguments]
        request = files | {"arguments": words, "cwd": str(cwd), "kill_after": kill_after or 0}
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            words, status, *(Path(file).read_text() for file in files.values())
        )

    yield run
    server.stdin.close()
    server.wait(timeout=60)
    server.stdout.close()


@pytest.fixture(scope="session")
def trained(command, tmp_path_factory) -> Callable[..., Path]:
    """`trained("bernoulli", "latent=bernoulli", …)`: the folder of a tiny new run."""

    def train(name: str, *arguments: str) -> Path:
        folder = tmp_path_factory.mktemp("runs") / name
        done = command("vae-train", *TINY, *arguments, f"hydra.run.dir={folder}", cwd=folder.parent)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return folder

    return train


@pytest.fixture(scope="session")
def original_bernoulli(trained) -> Path:
    """Six bits on 24 × 24 rectangles without labels."""
    return trained(
        "bernoulli", "latent=bernoulli", "latent.code_size=6", "data.train_size=600", "data.validation_size=50",
        "data.test_size=60", "batch_size=20", "optimizer.lr=0.01",
    )  # fmt: skip


@pytest.fixture(scope="session")
def original_gaussian(trained) -> Path:
    """Two Gaussian units on 300 digits; its test split is 100 digits."""
    return trained("gaussian", *MNIST, "latent.code_size=2", "batch_size=20", "optimizer.lr=0.003")


@pytest.fixture(scope="session")
def original_deterministic(trained) -> Path:
    """A plain auto-encoder of three units on the same digits."""
    return trained("deterministic", *MNIST, "latent=deterministic", "latent.code_size=3")
