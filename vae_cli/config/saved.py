"""Configurations that earlier versions saved, as this version reads them."""

from collections.abc import Mapping
from typing import Any

MOVED = {  # old `_target_`, or the module that it was in → new one
    "vae_cli.latents.GaussianLatent": "vae_cli.models.latents.gaussian.GaussianLatent",
    "vae_cli.latents.BernoulliLatent": "vae_cli.models.latents.bernoulli.BernoulliLatent",
    "vae_cli.latents.DeterministicLatent": "vae_cli.models.latents.deterministic.DeterministicLatent",
    "vae_cli.likelihoods": "vae_cli.models.likelihoods",
    "vae_cli.networks": "vae_cli.models.networks",
    "vae_cli.estimators.Pathwise": "vae_cli.objectives.estimators.pathwise.Pathwise",
    "vae_cli.estimators.Concrete": "vae_cli.objectives.estimators.relaxation.Concrete",
    "vae_cli.estimators.StraightThrough": "vae_cli.objectives.estimators.straight_through.StraightThrough",
    "vae_cli.estimators.Reinforce": "vae_cli.objectives.estimators.score_function.Reinforce",
    "vae_cli.objective": "vae_cli.objectives.elbo",
    "vae_cli.schedules": "vae_cli.engine.learning_rate",
    "vae_cli.accelerate": "vae_cli.engine.runtimes",
}
DROPPED = {"latent": ("estimators",)}  # keys that no longer exist: a latent's model says what serves it
# before there was a choice
ADDED = {"runtime": {"name": "auto", "_target_": "vae_cli.engine.runtimes.Auto", "steps": 10}}
_NETWORK = {"slope": 0.01, "inputs": "plain"}
ADDED_KEYS: dict[str, dict[str, Any]] = {
    "vae_cli.objectives.elbo.ELBO": {"kl": "analytic"},
    "vae_cli.models.networks.MLP": _NETWORK,
    "vae_cli.models.networks.Conv": _NETWORK,
    "vae_cli.models.latents.bernoulli.BernoulliLatent": {
        "prior": "uniform",
        "prior_lr": 0.01,
        "signed": False,
    },
}


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same configuration with this version's `_target_`s and keys; a current one comes back as it is."""
    new = {key: _part(key, value) if isinstance(value, Mapping) else value for key, value in config.items()}
    return {**ADDED, **new}


def _part(group: str, part: Mapping[str, Any]) -> dict[str, Any]:
    kept = {str(key): value for key, value in part.items() if key not in DROPPED.get(group, ())}
    if isinstance(target := kept.get("_target_"), str):
        kept["_target_"] = moved(target)
    return {**ADDED_KEYS.get(str(kept.get("_target_")), {}), **kept}


def moved(target: str) -> str:
    module, _, name = target.rpartition(".")
    return MOVED.get(target) or (f"{MOVED[module]}.{name}" if module in MOVED else target)
