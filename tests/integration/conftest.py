"""Fixtures of the trials."""

import pytest
from integration.trials import Trials


@pytest.fixture(scope="session")
def trials(command_server, tmp_path_factory) -> Trials:
    return Trials(command_server, tmp_path_factory.mktemp("undisturbed"))
