"""No test leaves a sweep behind."""

from collections.abc import Iterator

import pytest
from integration.launchers.sweep import Sweep


@pytest.fixture(autouse=True)
def _no_sweep_is_left_running() -> Iterator[None]:
    yield
    for sweep in Sweep.started:
        sweep.process.kill()
        sweep.process.wait()
