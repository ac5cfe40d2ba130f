"""Evaluations that were made with different settings, whose values must not be compared."""

import re
from collections.abc import Mapping, Sequence

from vae_cli.errors import UserError, printable
from vae_cli.runs.differing import setting_text
from vae_cli.runs.record import RunRecord

PREFIX = "evaluation."
NAMED = 4  # metrics in a notice
LONGEST_VALUE = 40  # letters
_OF_ANOMALIES = "anomaly_nll|auroc|average_precision"
SETTINGS = {  # of vae-eval → the metrics whose values depend on it, as a regular expression
    "checkpoint": ".*",
    "test_images": ".*",
    "nll_samples": f"nll|gap|sampling_gap|{_OF_ANOMALIES}",
    "anomaly": _OF_ANOMALIES,
    "probe_images": "(code|pixels)_(logistic|neighbours)",
    "classifier_epochs": "classifier_.*",
}


def differences(members: Sequence[RunRecord], metrics: Sequence[str]) -> dict[str, str]:
    """For each metric that the members' evaluations measured with different settings: the settings and their values,
    as `nll_samples=100, 5000`."""
    if len(members) < 2:
        return {}
    found = {name: _difference([m for m in members if name in m.metrics], name) for name in metrics}
    return {name: text for name, text in found.items() if text}


def refuse(value: str, mixed: Mapping[str, str]) -> None:
    """Raise UserError where the compared metric was measured with different settings."""
    if value in mixed:
        raise UserError(
            f"value={value}: the members were evaluated with different settings, {mixed[value]}, so that their values "
            "cannot be ranked: evaluate them with the same, or compare another metric"
        )


def notices(mixed: Mapping[str, str]) -> list[str]:
    """One for each set of settings."""
    found = []
    for text in dict.fromkeys(mixed.values()):
        names = [name for name in mixed if mixed[name] == text]
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        found.append(
            f"The members were evaluated with different settings ({text}): values of {shown} cannot be compared "
            "between them, and rows that mix them have none."
        )
    return found


def _difference(members: Sequence[RunRecord], metric: str) -> str:
    if not metric.startswith(PREFIX):
        return ""
    name, parts = metric.removeprefix(PREFIX), []
    for setting, affected in SETTINGS.items():
        values = {_text(member.evaluated_with.get(setting)): None for member in members}
        if len(values) > 1 and re.fullmatch(affected, name):
            parts.append(f"{setting}={', '.join(sorted(values, key=lambda text: (len(text), text)))}")
    return "; ".join(parts)


def _text(value: object) -> str:
    return "all" if value is None else printable(setting_text(value), LONGEST_VALUE)
