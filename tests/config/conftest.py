"""Configurations are composed by Hydra in this process."""

import pytest
from config.composed import option


@pytest.fixture(scope="module", autouse=True)
def hydra_config(composed_by_hydra: None) -> None:
    pass


@pytest.fixture(scope="module")
def default(hydra_config: None) -> dict:
    return option("latent=gaussian")
