"""What each key may be. Plain functions on plain dictionaries: torch is not imported before these have passed.

A key of a part that stands in no rule goes to the part's constructor as it is.
"""

from collections.abc import Mapping
from typing import Any

from vae_cli.errors import UserError, nearest
from vae_cli.rules import (
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
    "latent": "vae_cli.latents",
    "estimator": "vae_cli.estimators",
    "likelihood": "vae_cli.likelihoods",
    "network": "vae_cli.networks",
    "objective": "vae_cli.objective",
    "optimizer": "torch.optim",
    "schedule": "vae_cli.schedules",
    "corruption": "vae_cli.data.corruption",
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
}
RULES |= {f"{group}.name": TEXT for group in GROUPS}
RULES |= {f"{group}._target_": _part(home) for group, home in HOMES.items()}
PLAIN = {"resume", "experiment", "hydra"}

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
    "data.limit": optional(whole(1)),
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


def flatten(config: Mapping[str, Any], prefix: str = "", rules: Mapping[str, Rule] = RULES) -> dict[str, Any]:
    """{"latent": {"code_size": 2}} → {"latent.code_size": 2}. What has a rule is a leaf, whatever it holds."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        has_keys = isinstance(value, Mapping) and key not in rules
        flat |= flatten(value, f"{key}.", rules) if has_keys else {key: value}
    return flat


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two configurations, but for what a resumed run may change: `epochs`, and where files lie."""
    a, b = flatten(saved), flatten(current)
    return [
        f"{key} was {_show(a.get(key))} and is {_show(b.get(key))}"
        for key in sorted(a.keys() | b.keys())
        if key not in ("epochs", "resume", "data.root") and a.get(key) != b.get(key)
    ]


def check(config: Mapping[str, Any]) -> None:
    """Raise UserError for the first key that cannot be right, alone or beside another."""
    flat = flatten(config)
    for key in RULES:
        if key not in flat and key.split(".")[0] not in GROUPS:
            raise UserError(f"{key} must be given: {key}=VALUE")
    for key, value in [(key, flat[key]) for key in RULES if key in flat] + list(flat.items()):
        if key in RULES and not RULES[key].accepts(value):
            raise UserError(f"{key}={_show(value)} is not allowed; allowed is {RULES[key].allowed}")
        if key not in RULES and key.split(".")[0] not in {*GROUPS, *PLAIN}:
            raise UserError(f"there is no key {key!r}{nearest(key, RULES)}")
    for refused in _contradictions(config):
        raise UserError(refused)


def check_evaluation(config: Mapping[str, Any]) -> None:
    """The same for the keys of vae-eval."""
    for key, value in flatten(config, rules=EVALUATION).items():
        if key not in EVALUATION:
            raise UserError(f"there is no key {key!r}{nearest(key, EVALUATION)}")
        if key == "pictures" and isinstance(value, list):
            for name in value:
                if name not in PICTURES:
                    raise UserError(
                        f"there is no picture {_show(name)!r}; allowed are {', '.join(PICTURES)}{nearest(str(name), PICTURES)}"
                    )
        if not EVALUATION[key].accepts(value):
            raise UserError(f"{key}={_show(value)} is not allowed; allowed is {EVALUATION[key].allowed}")


def check_pair(latent: Mapping[str, Any], estimator: Mapping[str, Any]) -> None:
    """Raise UserError for an estimator that cannot serve the latent."""
    if estimator["name"] not in latent["estimators"]:
        raise UserError(
            f"estimator={estimator['name']} cannot serve latent={latent['name']}; "
            f"allowed are {', '.join(latent['estimators'])}"
        )


def _contradictions(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with keys that are right alone."""
    wrong = []
    estimator, objective, data = (config[group] for group in ("estimator", "objective", "data"))
    if estimator.get("baseline") == "leave_one_out" and objective["samples"] < 2:
        wrong.append("estimator.baseline=leave_one_out needs objective.samples of at least 2, it is 1")
    if 0 < objective["cycle_steps"] <= objective["warmup_steps"]:
        wrong.append(
            f"objective.cycle_steps={objective['cycle_steps']} ends before beta is reached; allowed is more than "
            f"objective.warmup_steps={objective['warmup_steps']}, or 0"
        )
    if estimator.get("anneal_rate") and estimator["minimum_temperature"] > estimator["temperature"]:
        wrong.append(
            f"estimator.minimum_temperature={estimator['minimum_temperature']} is above "
            f"latent.temperature={estimator['temperature']}, from which it should fall"
        )
    for side in ("height", "width"):
        low, high = data.get(f"rectangle_{side}", (1, 1))
        if not low <= high <= data.get(side, high):
            wrong.append(
                f"data.rectangle_{side}=[{low},{high}] is not allowed; allowed is [LOW,HIGH] with "
                f"LOW ≤ HIGH ≤ data.{side}={data[side]}"
            )
    if data.get("binarization") == "fixed" and data["dataset"] != "MNIST":
        wrong.append(
            "data.binarization=fixed exists for MNIST alone; allowed here are none, threshold, dynamic"
        )
    if sum(data.get("fractions", [1])) > 1 + 1e-9:
        wrong.append(f"data.fractions={data['fractions']} sum to more than 1")
    if config["network"]["name"] == "conv" and not is_whole(config["network"]["hidden"]):
        wrong.append(
            f"network.hidden={config['network']['hidden']} is not allowed; network=conv takes one number"
        )
    if config["network"]["name"] == "mlp" and is_whole(config["network"]["hidden"]):
        wrong.append(f"network.hidden={config['network']['hidden']} is not allowed; write network.hidden=[…]")
    return wrong


def _show(value: Any) -> str:
    return "null" if value is None else str(value).replace("'", "")
