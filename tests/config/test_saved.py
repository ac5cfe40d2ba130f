"""Configurations that version 0.1.0 saved are read as configurations of today."""

import pytest

from vae_cli.config.saved import moved, upgraded
from vae_cli.config.schema.run import GROUP_CONFIGS

# every `_target_` of version 0.1.0 within vae_cli
OLD_TARGETS = [
    "accelerate.Auto",
    "accelerate.Compile",
    "accelerate.Eager",
    "accelerate.Graph",
    "data.arrays.arrays",
    "data.corruption.Clean",
    "data.corruption.GaussianNoise",
    "data.corruption.Masking",
    "data.corruption.SaltAndPepper",
    "data.mnist.mnist",
    "data.rectangles.rectangles",
    "estimators.Concrete",
    "estimators.Pathwise",
    "estimators.Reinforce",
    "estimators.StraightThrough",
    "latents.BernoulliLatent",
    "latents.DeterministicLatent",
    "latents.GaussianLatent",
    "likelihoods.BernoulliLikelihood",
    "likelihoods.ContinuousBernoulliLikelihood",
    "likelihoods.GaussianLikelihood",
    "likelihoods.UnitGaussianLikelihood",
    "networks.Conv",
    "networks.MLP",
    "objective.ELBO",
    "schedules.Constant",
    "schedules.Cosine",
    "schedules.Exponential",
    "schedules.Inverse",
    "schedules.Step",
]


@pytest.mark.parametrize("old", OLD_TARGETS)
def test_every_old_target_names_an_option_of_today_with_the_same_class(old):
    options = {target for group in GROUP_CONFIGS.values() for target in group.options()}
    new = moved(f"vae_cli.{old}")
    assert new in options
    assert new.rpartition(".")[2] == old.rpartition(".")[2]
    assert moved(new) == new


def test_a_target_of_ones_own_stays():
    assert moved("mine.latents.GaussianLatent") == "mine.latents.GaussianLatent"


def test_a_configuration_is_upgraded_once():
    old = {
        "seed": 3,
        "latent": {"_target_": "vae_cli.latents.GaussianLatent", "estimators": ["pathwise"], "code_size": 2},
    }
    new = upgraded(old)
    assert new["latent"] == {"_target_": "vae_cli.models.latents.gaussian.GaussianLatent", "code_size": 2}
    network = upgraded({"network": {"_target_": "vae_cli.networks.MLP", "activation": "leaky_relu"}})[
        "network"
    ]
    assert network["slope"] == 0.01 and network["inputs"] == "plain"  # what torch takes, and what there was
    assert new["seed"] == 3 and new["runtime"]["name"] == "auto"
    assert upgraded(new) == new
