"""The keys of all commands and what each may be."""

from vae_cli.config.rules import (
    FRACTION,
    POSITIVE,
    SWITCH,
    TEXT,
    Rule,
    is_whole,
    matching,
    number,
    one_of,
    optional,
    several,
    whole,
)

# Where each group's parts live. Nothing else is called, so that a stranger's configuration executes nothing else.
HOMES = {
    "data": "vae_cli.data.FILE",
    "latent": "vae_cli.models.latents",
    "estimator": "vae_cli.objectives.estimators",
    "likelihood": "vae_cli.models.likelihoods",
    "network": "vae_cli.models.networks",
    "objective": "vae_cli.objectives.elbo",
    "optimizer": "torch.optim",
    "schedule": "vae_cli.engine.learning_rate",
    "corruption": "vae_cli.data.corruption",
    "runtime": "vae_cli.engine.runtimes",
}
GROUPS = tuple(HOMES)


def _part(home: str) -> Rule:
    return matching(f"{home}.NAME", home.replace(".", r"\.").replace("FILE", r"\w+") + r"\.[A-Za-z]\w*")


RULES: dict[str, Rule] = {
    "name": Rule("a folder's name without '..'", lambda v: TEXT.accepts(v) and ".." not in v),
    "seed": whole(0, 2**32 - 1),
    "epochs": whole(1),
    "batch_size": whole(1),
    "device": matching("auto, cpu, cuda or cuda:N", r"auto|cpu|cuda(:\d+)?"),
    "precision": one_of("float32", "tf32", "float64"),
    "gradient_clip_norm": optional(POSITIVE),
    "log_every": whole(1),
    "validate_every": whole(1),
    "patience": optional(whole(1)),
    "gradient_draws": Rule("0 or a whole number of at least 2", lambda v: is_whole(v) and (v == 0 or v >= 2)),
    "nll_samples": whole(0),
    "checkpoint.minutes": POSITIVE,
    "checkpoint.epochs": optional(whole(1)),
    "data.root": TEXT,
    "data.limit": optional(whole(1)),
    "data.placement": one_of("auto", "device", "host"),
    "data.exclude_classes": several(whole(0)),
    "data.seed": whole(0, 2**32 - 1),
    "data.height": whole(1),
    "data.width": whole(1),
    "data.rectangle_height": several(whole(1), 2),
    "data.rectangle_width": several(whole(1), 2),
    "data.train_size": whole(1),
    "data.validation_size": whole(0),
    "data.test_size": whole(1),
    "data.dataset": one_of("MNIST", "FashionMNIST"),
    "data.binarization": one_of("none", "threshold", "dynamic", "fixed"),
    "data.path": TEXT,
    "data.train": TEXT,
    "data.validation": TEXT,
    "data.test": TEXT,
    "data.fractions": several(FRACTION, 3),
    "latent.code_size": whole(1),
    "latent.temperature": POSITIVE,
    "latent.estimators": several(TEXT),
    "estimator.temperature": POSITIVE,
    "estimator.anneal_rate": number(0),
    "estimator.minimum_temperature": POSITIVE,
    "estimator.baseline": one_of("moving_average", "leave_one_out"),
    "estimator.decay": FRACTION,
    "likelihood.min_log_std": optional(number(-float("inf"))),
    "network.hidden": Rule(
        "a list of whole numbers of at least 1 (network=conv: one number)",
        lambda v: whole(1).accepts(v) or several(whole(1)).accepts(v),
    ),
    "network.channels": several(whole(1)),
    "network.activation": one_of("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh"),
    "network.initialization": one_of("default", "xavier", "kaiming", "orthogonal"),
    "network.mean_bias": SWITCH,
    "objective.beta": number(0),
    "objective.samples": whole(1),
    "objective.initial_beta": number(0),
    "objective.warmup_steps": whole(0),
    "objective.cycle_steps": whole(0),
    "objective.free_bits": number(0),
    "optimizer.lr": POSITIVE,
    "optimizer.betas": several(number(0, 0.9999999), 2),
    "optimizer.eps": POSITIVE,
    "optimizer.weight_decay": number(0),
    "optimizer.momentum": number(0),
    "optimizer.alpha": FRACTION,
    "optimizer.nesterov": SWITCH,
    "optimizer.fused": SWITCH,
    "schedule.warmup_steps": whole(0),
    "schedule.minimum": FRACTION,
    "schedule.every_steps": whole(1),
    "schedule.factor": number(0, 1, above=True),
    "schedule.rate": number(0),
    "corruption.std": POSITIVE,
    "corruption.fraction": FRACTION,
    "runtime.steps": whole(1),
    "runtime.compile": SWITCH,
}
RULES |= {f"{group}.name": TEXT for group in GROUPS}
RULES |= {f"{group}._target_": _part(home) for group, home in HOMES.items()}
FIGURE = one_of("elbo", "rate", "distortion")
CALL: dict[str, Rule] = {  # of one call, not of what it trains
    "retry_failed": SWITCH,
    "fail_fast": SWITCH,
    "threads": Rule(
        "auto, or a whole number of at least 1", lambda v: v == "auto" or (is_whole(v) and v >= 1)
    ),
    "jobs_per_gpu": whole(1),
    "returns": Rule(
        f"one or a list of {FIGURE.allowed}",
        lambda v: FIGURE.accepts(v) or (bool(v) and several(FIGURE).accepts(v)),
    ),
}
PLAIN = {"resume", "experiment", "hydra", *CALL}

PICTURES = ("curves", "reconstructions", "samples", "class_samples", "scatter", "plane", "all_codes", "interpolations",
            "traversals", "rates", "bits", "likelihood", "bounds", "extremes", "anomaly")  # fmt: skip
AUTO = Rule("auto, true or false", lambda v: v == "auto" or isinstance(v, bool))
EVALUATION: dict[str, Rule] = {
    "run": TEXT,
    "checkpoint": one_of("best", "last"),
    "device": RULES["device"],
    "seed": RULES["seed"],
    "data.root": optional(TEXT),
    "data.path": optional(TEXT),
    "test_images": optional(whole(1)),
    "nll_samples": whole(1),
    "exact": AUTO,
    "probe": AUTO,
    "probe_images": whole(1),
    "classifier_epochs": whole(0),
    "anomaly": optional(TEXT),
    "pictures": Rule(
        f"auto, or a list of {', '.join(PICTURES)}",
        lambda v: v == "auto" or several(one_of(*PICTURES)).accepts(v),
    ),
    "interpolate": several(several(whole(0), 2)),
    "samples": whole(0),
}

COMPARISON: dict[str, Rule] = {
    "folders": Rule("one folder or more: vae-compare FOLDER", lambda v: bool(v) and several(TEXT).accepts(v)),
    "x": TEXT,
    "y": optional(TEXT),
    "value": TEXT,
    "best": one_of("auto", "max", "min"),
    "out": optional(TEXT),
}
