"""Which estimator serves which latent and which objective."""

import yaml
from omegaconf import DictConfig

from vae_cli.config.saved import upgraded
from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.config.schema.keys import option_class
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.schema.objectives import ObjectiveConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.errors import UserError


def refuse_wrong_pair(cfg: DictConfig) -> None:
    """Raise UserError for an estimator that cannot serve the latent or the objective. This comes before keys are resolved:
    those of a wrong pair refer to keys that the other part does not have."""
    groups = ("latent", "estimator", "objective")
    current = upgraded({group: {"_target_": cfg[group].get("_target_")} for group in groups})
    latent, estimator, objective = (option_class(group, str(current[group]["_target_"])) for group in groups)
    assert issubclass(latent, LatentConfig)
    assert issubclass(estimator, EstimatorConfig)
    assert issubclass(objective, ObjectiveConfig)
    if not estimator.serves(latent, objective):
        serving = ", ".join(_serving(latent, objective))
        raise UserError(
            f"estimator={cfg.estimator.name} cannot serve latent={cfg.latent.name} with objective={cfg.objective.name}; "
            + (f"allowed are {serving}" if serving else "no estimator can")
        )


def _serving(latent: type[LatentConfig], objective: type[ObjectiveConfig]) -> list[str]:
    """The estimators of this package that can serve both, by their option's name."""
    options = {
        file.stem: yaml.safe_load(file.read_text())
        for file in sorted((config_folder() / "estimator").glob("*.yaml"))
    }
    models = EstimatorConfig.options()
    return [name for name, option in options.items() if models[option["_target_"]].serves(latent, objective)]
