"""What each key may be. Plain functions on plain dictionaries: torch is not imported before these have passed.

A key of a part that stands in no rule goes to the part's constructor as it is.
"""

from collections.abc import Mapping
from typing import Any

from vae_cli.config.keys import CALL, COMPARISON, EVALUATION, GROUPS, PICTURES, PLAIN, RULES
from vae_cli.config.rules import Rule, is_whole
from vae_cli.errors import UserError, did_you_mean


def flatten(config: Mapping[str, Any], prefix: str = "", rules: Mapping[str, Rule] = RULES) -> dict[str, Any]:
    """{"latent": {"code_size": 2}} → {"latent.code_size": 2}. What has a rule is a leaf, whatever it holds."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        has_keys = isinstance(value, Mapping) and key not in rules
        flat |= flatten(value, f"{key}.", rules) if has_keys else {key: value}
    return flat


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two configurations, but for what a resumed run may change: `epochs`, where files lie, and how
    its steps are made."""
    a, b = flatten(saved), flatten(current)
    return [
        f"{key} was {_show(a.get(key))} and is {_show(b.get(key))}"
        for key in sorted(a.keys() | b.keys())
        if key not in ("epochs", "resume", "data.root")
        and key.partition(".")[0] != "runtime"
        and a.get(key) != b.get(key)
    ]


def compares(key: str) -> bool:
    """Whether a key tells one run from another: in the HPARAMS tab, and as a column of vae-compare."""
    technical = ("_target_", "estimators", "root", "resume")
    return key not in CALL and not key.startswith("checkpoint.") and key.rpartition(".")[2] not in technical


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
            raise UserError(f"there is no key {key!r}{did_you_mean(key, RULES)}")
    for refused in _contradictions(config):
        raise UserError(refused)


def check_call(settings: Mapping[str, Any]) -> None:
    """The same for the keys of one call of vae-train."""
    for key, value in settings.items():
        _check_key(key, value, CALL)


def check_evaluation(config: Mapping[str, Any]) -> None:
    """The same for the keys of vae-eval."""
    for key, value in flatten(config, rules=EVALUATION).items():
        if key == "pictures" and isinstance(value, list):
            for name in value:
                if name not in PICTURES:
                    raise UserError(
                        f"there is no picture {_show(name)!r}; allowed are {', '.join(PICTURES)}{did_you_mean(str(name), PICTURES)}"
                    )
        _check_key(key, value, EVALUATION)


def check_comparison(config: Mapping[str, Any]) -> None:
    """The same for the keys of vae-compare."""
    for key, value in flatten(config, rules=COMPARISON).items():
        _check_key(key, value, COMPARISON)


def _check_key(key: str, value: Any, rules: Mapping[str, Rule]) -> None:
    if key not in rules:
        raise UserError(f"there is no key {key!r}{did_you_mean(key, rules)}")
    if not rules[key].accepts(value):
        raise UserError(f"{key}={_show(value)} is not allowed; allowed is {rules[key].allowed}")


def check_pair(latent: Mapping[str, Any], estimator: Mapping[str, Any]) -> None:
    """Raise UserError for an estimator that cannot serve the latent."""
    if estimator["name"] not in latent.get("estimators", ()):
        raise UserError(
            f"estimator={estimator['name']} cannot serve latent={latent['name']}; "
            f"allowed are {', '.join(latent.get('estimators', ()))}"
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
