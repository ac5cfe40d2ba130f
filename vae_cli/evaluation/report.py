"""report.html: one run on one self-contained page."""

import base64
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

CARDS = ("nll", "gap", "elbo", "rate", "distortion", "active_units", "mutual_information", "auroc")


def number(value: float | int | None) -> str:
    """Three decimals, whole numbers as they are."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def page(
    summary: Mapping[str, Any],
    config: Mapping[str, Any],
    overrides: list[str],
    arguments: list[str],
    pictures: Mapping[str, tuple[Path, str]],
) -> str:
    """`summary` is what summary.json holds, `pictures` name → (PNG file, caption). Everything in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "reporting/templates"), autoescape=True
    )
    figures: Mapping[str, Mapping[str, Any]] = summary["figures"]
    rows = [
        {
            "name": name.replace("_", " "),
            "value": number(f["value"]),
            "error": number(f["standard_error"]) if f["standard_error"] is not None else "",
            "unit": f["unit"],
            "n": f"{f['n']:,}",
            "meaning": f["meaning"],
        }
        for name, f in figures.items()
    ]
    cards = [
        {
            "name": f"{name.replace('_', ' ')} / {figures[name]['unit']}",
            "value": number(figures[name]["value"]),
        }
        for name in CARDS
        if name in figures
    ]
    said = [o for o in overrides if not o.startswith(("epochs=", "resume="))]
    train = shlex.join(["vae-train", *said, f"epochs={config['epochs']}"])
    return environment.get_template("report.html").render(
        title=f"{config['name']}: {config['latent']['name']} code of {config['latent']['code_size']} on {config['data']['name']}",
        subtitle=f"{summary['run']} · run {summary['status']} · checkpoint {summary['checkpoint']}, step {summary['step']:,}",
        notices=summary["notices"],
        cards=cards,
        rows=rows,
        pictures=[
            {"name": name, "caption": caption, "png": base64.b64encode(file.read_bytes()).decode()}
            for name, (file, caption) in pictures.items()
        ],
        configuration=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        commands=f"{train}\n{shlex.join(['vae-eval', *arguments])}",
        versions=", ".join(f"{name} {version}" for name, version in summary["versions"].items()),
    )
