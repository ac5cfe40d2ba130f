"""Too little memory: refused before it is allocated, and one sentence where an allocator fails."""

import numpy as np
import pytest
import torch
from conftest import configured
from engine.steps import small

from vae_cli import build as build_module
from vae_cli.build import build
from vae_cli.config.failures import one_line
from vae_cli.config.schema.networks import NetworkConfig
from vae_cli.engine import out_of_memory
from vae_cli.engine.out_of_memory import in_words, out_of_memory_in_words, refuse_too_large
from vae_cli.errors import OutOfMemory, UserError

SIZES = {"batch_size": 128, "objective.samples": 1, "network.hidden": [400, 20], "latent.code_size": 20}
SENTENCE = "lower network.hidden=[400, 20] or batch_size=128 or latent.code_size=20"


def raised(error: Exception) -> None:
    raise error


FAILURES = [
    pytest.param(lambda: torch.empty(10**15), " (tried to allocate 4000000000000000 bytes)", id="torch on the host"),
    pytest.param(lambda: np.ones(10**15), " (tried to allocate 7.11 PiB)", id="numpy"),
    pytest.param(lambda: bytearray(2**62), "", id="python"),
    pytest.param(
        lambda: raised(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")),
        " (tried to allocate 2.00 GiB)", id="torch on CUDA",
    ),
    pytest.param(lambda: raised(RuntimeError("CUDA error: out of memory\nCUDA kernel …")), "", id="CUDA"),
    pytest.param(
        lambda: raised(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling …")), "", id="cuBLAS"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("work", "tried"), FAILURES)
def test_the_error_of_an_allocator_is_one_sentence_with_what_to_lower(work, tried):
    with pytest.raises(OutOfMemory) as error, out_of_memory_in_words(SIZES):
        work()
    assert str(error.value) == f"out of memory{tried}: {SENTENCE}"
    assert one_line(error.value) == str(error.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes"), ValueError("x"), KeyboardInterrupt()]
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as passed, out_of_memory_in_words(SIZES):
        raise error
    assert passed.value is error


def test_long_lists_are_shown_in_part():
    with pytest.raises(OutOfMemory) as error, out_of_memory_in_words({"network.hidden": [10**6] * 100}):
        raise MemoryError
    assert len(str(error.value)) < 120


@pytest.mark.parametrize(
    ("part", "words"), [("data", "data.train_size=100"), ("network", "network.hidden=[8]")], ids=str
)
def test_an_allocation_that_fails_while_parts_are_built_is_one_sentence(part, words, monkeypatch):
    """Although the estimate saw no reason against it: others use the memory, too."""
    make = build_module.make

    def failing(config, **others):
        return np.ones(10**15) if config.group == part else make(config, **others)

    monkeypatch.setattr(out_of_memory, "refuse_too_large", lambda *_: None)
    monkeypatch.setattr(build_module, "refuse_too_large", lambda *_: None)
    monkeypatch.setattr(build_module, "make", failing)
    with pytest.raises(OutOfMemory) as error:
        build(small())
    assert "out of memory" in str(error.value) and words in str(error.value)


def test_the_batch_is_refused_beside_parameters_that_fit(monkeypatch):
    """As on a machine with 10 MB."""
    monkeypatch.setattr(out_of_memory, "free_memory", lambda device: 10_000_000)
    monkeypatch.setattr(out_of_memory, "free_after_cleaning", lambda device: 10_000_000)
    sizes = (
        "network.hidden=[100]", "data.height=24", "data.width=24", "data.train_size=2000", "data.validation_size=10",
        "data.test_size=10", "batch_size=10",
    )  # fmt: skip
    build(configured(*sizes))
    for key, value in (("batch_size", 2000), ("objective.samples", 1000)):
        with pytest.raises(UserError) as error:
            build(configured(*sizes, f"{key}={value}"))
        message = str(error.value)
        assert message.startswith(f"{key}={value} needs about ")
        assert f"10 MB are free on cpu: lower {key}" in message


def test_a_users_own_part_is_not_estimated(monkeypatch):
    """What it needs is not known; its constructor may not run on the meta device."""
    monkeypatch.setattr(out_of_memory, "free_memory", lambda device: 200_000)
    monkeypatch.setattr(out_of_memory, "free_after_cleaning", lambda device: 200_000)
    with pytest.raises(UserError, match="for parameters"):
        build(small("network.hidden=[1000]"))
    config = small("network.hidden=[1000]")
    own = NetworkConfig.external()
    network = own.model_validate({**config.network.plain()})
    build(config.model_copy(update={"network": network}))


def test_only_what_needs_more_than_is_free_is_refused():
    cpu, need = torch.device("cpu"), {"small": 10**3, "large": 10**18}
    refuse_too_large("things", {"n": "small"}, lambda sizes: need[sizes["n"]], cpu)
    with pytest.raises(UserError, match=r"n=5 needs about 1 EB for things; .* are free on cpu: lower n"):
        refuse_too_large("things", {"n": 5}, lambda sizes: 10**18, cpu)


@pytest.mark.parametrize(
    ("size", "words"), [(3, "3 bytes"), (999.6, "1 kB"), (12.34e12, "12.3 TB"), (1e30, "more than 999 EB")]
)
def test_sizes_in_words(size, words):
    assert in_words(size) == words
