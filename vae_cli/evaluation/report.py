"""report.html: one run on one self-contained page."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vae_cli.config.schema.run import RunConfig
from vae_cli.evaluation.trained import Trained
from vae_cli.metrics.registry import headlines
from vae_cli.reporting.html import embedded, number, render

# overrides of one call; the page repeats the command with the epochs that were trained
NOT_REPRODUCED = ("epochs=", "resume=")


def page(
    summary: Mapping[str, Any],
    trained: Trained,
    overrides: list[str],
    arguments: list[str],
    pictures: Mapping[str, tuple[Path, str]],
) -> str:
    """`summary` is the content of summary.json, `pictures` name → (PNG file, caption), `overrides` those of the run,
    `arguments` those of vae-eval."""
    config = trained.config
    checkpoint = f"checkpoint {summary['checkpoint']}, step {summary['step']:,}"
    return render(
        "report.html",
        title=f"{config.name}: {config.latent.name} code of {trained.vae.latent.in_words} on {config.data.name}",
        subtitle=f"{summary['run']} · run {summary['status']} · {checkpoint}",
        notices=summary["notices"],
        cards=_cards(summary["figures"]),
        rows=[_row(name, measured) for name, measured in summary["figures"].items()],
        pictures=embedded(pictures),
        configuration=yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True),
        commands="\n".join([_train_command(config, overrides), shlex.join(["vae-eval", *arguments])]),
        versions=", ".join(f"{name} {version}" for name, version in summary["versions"].items()),
    )


def _cards(measured: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {"name": f"{metric.label} / {metric.unit}", "value": number(measured[metric.name]["value"])}
        for metric in headlines()
        if metric.name in measured
    ]


def _row(name: str, measured: Mapping[str, Any]) -> dict[str, str]:
    error = measured["standard_error"]
    return {
        "name": name.replace("_", " "),
        "value": number(measured["value"]),
        "error": "" if error is None else number(error),
        "unit": measured["unit"],
        "n": f"{measured['n']:,}",
        "meaning": measured["meaning"],
    }


def _train_command(config: RunConfig, overrides: list[str]) -> str:
    kept = [override for override in overrides if not override.startswith(NOT_REPRODUCED)]
    return shlex.join(["vae-train", *kept, f"epochs={config.epochs}"])
