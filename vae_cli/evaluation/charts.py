"""Charts of what was measured, with axes and units: each function takes the context and the file to write."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from vae_cli.evaluation.code_space import walks
from vae_cli.evaluation.context import Context
from vae_cli.metrics.codes import principal_components
from vae_cli.reporting import plots


def scatter(context: Context, path: Path) -> None:
    codes, latent = context.q.mean, context.vae.latent
    lines: list[Tensor] = []
    if latent.decoder_inputs == latent.code_size == 2:
        points, title, names = codes, "Posterior means of the test images", ["unit 0", "unit 1"]
        lines = [walk for _, walk in walks(context)] if latent.values_per_unit is None else []
    else:
        found = principal_components(codes)
        points, title = found.points, "Posterior means of the test images on their two principal components"
        names = [f"component {i + 1}: {s:.0%} of the variance" for i, s in enumerate(found.explained)]
    with plots.chart(path, title, (6.4, 5.4)) as axes:
        plots.scatter(axes, points, context.labels)
        for line in lines:
            axes.plot(*line.cpu().T.numpy(), color="black", marker=".", markersize=4, linewidth=1)
        axes.set(xlabel=names[0], ylabel=names[1])
        axes.set_aspect("equal", "datalim")


def rates(context: Context, path: Path) -> None:
    order = context.rates.argsort(descending=True)
    values, active = context.rates[order].cpu().numpy(), context.active[order].cpu().numpy()
    with plots.chart(path, f"Rate of each unit: {values.sum():.2f} nats in all", (6.4, 3.6)) as axes:
        places = np.arange(len(values))
        for state, colour, name in (
            (True, plots.PALETTE[0], "active"),
            (False, plots.PALETTE[3], "inactive"),
        ):
            here = active == state
            if here.any():
                axes.bar(places[here], values[here], color=colour, label=f"{name}: {here.sum()}")
        if len(values) <= 50:
            crowded = len(values) > 25
            axes.set_xticks(
                places, order.tolist(), fontsize=7 if crowded else 9, rotation=90 if crowded else 0
            )
        axes.set(xlabel="unit, sorted", ylabel="KL(q(z|x) ‖ p(z)), mean over images / nats")
        axes.margins(y=0.2)  # room for the legend
        axes.legend()


def likelihood(context: Context, path: Path) -> None:
    scores = context.scores.cpu().numpy()
    with plots.chart(path, f"{context.score_name} of {len(scores):,} test images", (6.4, 3.6)) as axes:
        plots.histogram(axes, {"test images": scores})
        axes.axvline(scores.mean(), color=plots.PALETTE[2], label=f"mean {scores.mean():.2f}")
        if context.data.entropy is not None:
            plots.floor(
                axes, -context.data.entropy, f"−entropy of the data {-context.data.entropy:.3f}", upright=True
            )
        axes.set_xlabel(f"{context.score_name} / nats")
        axes.legend()


def bounds(context: Context, path: Path) -> None:
    with plots.chart(
        path, "The importance-weighted bound tightens with the number of samples", (6.4, 3.6)
    ) as axes:
        axes.plot(list(context.levels), list(context.levels.values()), marker="o", label="bound")
        if context.exact is not None:
            axes.axhline(
                context.exact,
                color=plots.PALETTE[2],
                label=f"exact log p(x), enumerated: {context.exact:.3f}",
            )
        if context.data.entropy is not None:
            plots.floor(axes, -context.data.entropy, f"−entropy of the data {-context.data.entropy:.3f}")
        axes.set(xscale="log", xlabel="samples", ylabel="bound on log p(x), mean over images / nats")
        axes.legend()


def curves(context: Context, path: Path) -> None:
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line in context.metrics:
        for term in ("elbo", "rate", "distortion"):
            name = f"epoch_{term}" if line["split"] == "train" else term
            if line["split"] in ("train", "validation") and line.get(name) is not None:
                series.setdefault((term, line["split"]), []).append((line["epoch"], line[name]))
    with plots.chart(
        path, "Learning curves: elbo = −(rate + distortion), hard codes, beta 1", (9.6, 3.4), 3
    ) as panels:
        for axes, term in zip(panels, ("elbo", "rate", "distortion"), strict=True):
            for i, split in enumerate(("train", "validation")):
                if points := series.get((term, split)):
                    marker = "." if len(points) < 40 else None
                    axes.plot(*zip(*points, strict=True), color=plots.PALETTE[i], label=split, marker=marker)
            if term == "elbo" and context.data.entropy is not None:
                plots.floor(axes, -context.data.entropy, f"−entropy {-context.data.entropy:.2f}")
            axes.set(title=term, xlabel="epoch", ylabel="nats per image")
            axes.legend()


def usage(context: Context, path: Path) -> None:
    assert context.usage is not None
    frequency, association = (t.cpu().numpy() for t in (context.usage.frequency, context.usage.association))
    with plots.chart(path, "How the values of each unit are used over the test images", (9.6, 3.8), 2) as (
        left,
        right,
    ):
        if context.usage.is_of_bits:
            _bit_frequencies(left, frequency[1])
            shown = right.imshow(association, cmap="RdBu_r", vmin=-1, vmax=1)
            title = "correlation between units"
        else:
            _value_frequencies(left, frequency)
            shown = right.imshow(association, cmap="Reds", vmin=0, vmax=1)
            title = "association between units (Cramér's V)"
        right.set(xlabel="unit", ylabel="unit", title=title)
        right.grid(False)
        for axis in (left.xaxis, right.xaxis, right.yaxis):
            axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        right.figure.colorbar(shown, ax=right)


def _bit_frequencies(axes: Any, on: np.ndarray) -> None:
    """A bar for each bit [K]."""
    axes.bar(np.arange(len(on)), 100 * on)
    plots.floor(axes, 50, "the prior's 50 %")
    axes.set(xlabel="unit", ylabel="on / % of images", ylim=(0, 100))
    axes.legend()


def _value_frequencies(axes: Any, frequency: np.ndarray) -> None:
    """A cell for each value of each unit, [C, K]."""
    shares = axes.imshow(100 * frequency, cmap="Blues", vmin=0, aspect="auto", origin="lower")
    axes.set(
        xlabel="unit",
        ylabel="value",
        title=f"frequency of each value; the prior's is {100 / len(frequency):.3g} %",
    )
    axes.figure.colorbar(shares, ax=axes, label="% of images")
    axes.yaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(False)


def anomaly(context: Context, path: Path) -> None:
    assert context.anomaly is not None and context.anomaly_scores is not None
    name, scores = context.anomaly, context.anomaly_scores
    with plots.chart(path, f"log p(x) of test images and of {name}", (6.4, 3.6)) as axes:
        plots.histogram(axes, {"test images": context.scores.cpu().numpy(), name: scores.cpu().numpy()})
        axes.set_xlabel("log p(x) / nats")
        axes.legend()
