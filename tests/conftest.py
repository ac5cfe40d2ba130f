"""Shared by all tests: float64 on request, marks, small configurations, the commands without the seconds that torch takes
to be imported, and three tiny runs."""

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hydra
import pytest
import torch
from command_server import CommandServer, Finished
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


def later_counts(*words: str) -> list[str]:
    """Of two words with one key the later one: the commands refuse a key that is given twice."""
    return list({word.partition("=")[0]: word for word in words}.values())


Command = Callable[..., Finished]


@functools.cache
def configured(*overrides: str) -> RunConfig:
    """The configuration of vae-train with these overrides."""
    prepare_hydra()
    resolvers.register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        return accept(hydra.compose("config", list(overrides)))


def pytest_configure() -> None:
    """Signals do what they do at a terminal, for the commands that the tests start as well: nohup and a shell's `&` have
    them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


@pytest.fixture(autouse=True)
def default_type() -> Iterator[None]:
    """A run in float64 changes torch's default type, which the next test must not meet."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


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


@pytest.fixture(scope="session")
def command_server(tmp_path_factory) -> Iterator[CommandServer]:
    with CommandServer(tmp_path_factory.mktemp("streams")) as server:
        yield server


@pytest.fixture(scope="session")
def command(command_server) -> Command:
    """`command("vae-eval", "run=…", cwd=folder)`: no network, no CUDA, one thread. With `kill_after` it gets a SIGKILL
    after so many seconds, and returns -9 unless it has ended before."""
    return command_server.run


@pytest.fixture(scope="session")
def trained(command, tmp_path_factory) -> Callable[..., Path]:
    """`trained("bernoulli", "latent=bernoulli", …)`: the folder of a tiny new run."""

    def train(name: str, *arguments: str) -> Path:
        folder = tmp_path_factory.mktemp("runs") / name
        words = later_counts(*TINY, *arguments, f"hydra.run.dir={folder}")
        done = command("vae-train", *words, cwd=folder.parent)
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
