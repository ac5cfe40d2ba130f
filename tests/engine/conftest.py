"""Fixtures of the tests of the engine."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    """Building an experiment in float64 changes torch's default."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)
