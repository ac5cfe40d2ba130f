"""Which estimator serves which latent."""

import yaml
from omegaconf import DictConfig

from vae_cli.config.saved import upgraded
from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.config.schema.keys import option_class
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.errors import UserError


def refuse_wrong_pair(cfg: DictConfig) -> None:
    """Raise UserError for an estimator that cannot serve the latent. This comes before keys are resolved: those of a wrong
    pair refer to keys that the other part does not have."""
    current = upgraded({group: {"_target_": cfg[group].get("_target_")} for group in ("latent", "estimator")})
    latent = option_class("latent", str(current["latent"]["_target_"]))
    estimator = option_class("estimator", str(current["estimator"]["_target_"]))
    assert issubclass(latent, LatentConfig)
    assert issubclass(estimator, EstimatorConfig)
    if not estimator.serves(latent):
        raise UserError(
            f"estimator={cfg.estimator.name} cannot serve latent={cfg.latent.name}; "
            f"allowed are {', '.join(_serving(latent))}"
        )


def _serving(latent: type[LatentConfig]) -> list[str]:
    """The estimators of this package that can serve a latent, by their option's name."""
    options = {
        file.stem: yaml.safe_load(file.read_text())
        for file in sorted((config_folder() / "estimator").glob("*.yaml"))
    }
    models = EstimatorConfig.options()
    return [name for name, option in options.items() if models[option["_target_"]].serves(latent)]
