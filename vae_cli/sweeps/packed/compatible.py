"""Which members of a sweep can share a program. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from vae_cli.config.schema import flatten

# What may differ within a group: numbers that enter the program as numbers, and what each member does by itself, its
# optimizer's step, its corruption and its events among it. All other keys shape the program or its tensors.
ITS_OWN = {
    *("name", "seed", "epochs", "resume", "experiment", "log_every", "validate_every", "patience", "gradient_draws"),
    *("nll_samples", "gradient_clip_norm", "network.initialization", "network.mean_bias"),
    *("objective.beta", "objective.initial_beta", "objective.warmup_steps", "objective.cycle_steps"),
    *("latent.temperature", "estimator.temperature", "estimator.anneal_rate", "estimator.minimum_temperature"),
}  # fmt: skip
# the size of the code may differ, too (`vae_cli.engine.packed` fills it up), but where each unit is granted free bits
GROUPS_OF_ITS_OWN = ("optimizer", "schedule", "corruption", "checkpoint")


def signature(config: Mapping[str, Any]) -> str:
    """What two checked configurations have in common if their members can share a program."""
    own = ITS_OWN if config["objective"]["free_bits"] else ITS_OWN | {"latent.code_size"}
    shared = {
        key: value
        for key, value in flatten(config).items()
        if key not in own and key.partition(".")[0] not in GROUPS_OF_ITS_OWN
    }
    return repr(sorted(shared.items()))
