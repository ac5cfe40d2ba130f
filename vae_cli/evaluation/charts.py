"""What there is to see in a model's figures: charts with axes and units."""

from pathlib import Path

import numpy as np
from torch import Tensor

from vae_cli.evaluation.context import View
from vae_cli.evaluation.images import walks
from vae_cli.metrics.codes import principal_plane
from vae_cli.reporting import plots


def scatter(view: View, path: Path) -> None:
    codes = view.q.mean
    lines: list[Tensor] = []
    if codes.shape[-1] == 2:
        points, title, names = codes, "Posterior means of the test images", ("unit 0", "unit 1")
        lines = [] if view.vae.latent.is_binary else [walk for _, walk in walks(view)]
    else:
        plane = principal_plane(codes)
        points, title = plane.points, "Posterior means of the test images on their two principal components"
        names = tuple(f"component {i + 1}: {s:.0%} of the variance" for i, s in enumerate(plane.explained))  # type: ignore[assignment]  # two of them: a scatter needs two units
    with plots.chart(path, title, (6.4, 5.4)) as axes:
        plots.scatter(axes, points, view.labels)
        for line in lines:
            axes.plot(*line.cpu().T.numpy(), color="black", marker=".", markersize=4, linewidth=1)
        axes.set(xlabel=names[0], ylabel=names[1])
        axes.set_aspect("equal", "datalim")


def rates(view: View, path: Path) -> None:
    order = view.rates.argsort(descending=True)
    values, active = view.rates[order].cpu().numpy(), view.active[order].cpu().numpy()
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


def likelihood(view: View, path: Path) -> None:
    scores = view.scores.cpu().numpy()
    with plots.chart(path, f"{view.score_name} of {len(scores):,} test images", (6.4, 3.6)) as axes:
        plots.histogram(axes, {"test images": scores})
        axes.axvline(scores.mean(), color=plots.PALETTE[2], label=f"mean {scores.mean():.2f}")
        if view.data.entropy is not None:
            plots.floor(
                axes, -view.data.entropy, f"−entropy of the data {-view.data.entropy:.3f}", upright=True
            )
        axes.set_xlabel(f"{view.score_name} / nats")
        axes.legend()


def bounds(view: View, path: Path) -> None:
    with plots.chart(
        path, "The importance-weighted bound tightens with the number of samples", (6.4, 3.6)
    ) as axes:
        axes.plot(list(view.levels), list(view.levels.values()), marker="o", label="bound")
        if view.exact is not None:
            axes.axhline(
                view.exact, color=plots.PALETTE[2], label=f"exact log p(x), enumerated: {view.exact:.3f}"
            )
        if view.data.entropy is not None:
            plots.floor(axes, -view.data.entropy, f"−entropy of the data {-view.data.entropy:.3f}")
        axes.set(xscale="log", xlabel="samples", ylabel="bound on log p(x), mean over images / nats")
        axes.legend()


def curves(view: View, path: Path) -> None:
    series: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line in view.metrics:
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
            if term == "elbo" and view.data.entropy is not None:
                plots.floor(axes, -view.data.entropy, f"−entropy {-view.data.entropy:.2f}")
            axes.set(title=term, xlabel="epoch", ylabel="nats per image")
            axes.legend()


def bits(view: View, path: Path) -> None:
    assert view.bits is not None
    on, correlation = view.bits.on.cpu().numpy(), view.bits.correlation.cpu().numpy()
    with plots.chart(path, "How the bits are used over the test images", (9.6, 3.8), 2) as (left, right):
        left.bar(np.arange(len(on)), 100 * on)
        plots.floor(left, 50, "the prior's 50 %")
        left.set(xlabel="unit", ylabel="on / % of images", ylim=(0, 100))
        left.xaxis.get_major_locator().set_params(integer=True)
        left.legend()
        shown = right.imshow(correlation, cmap="RdBu_r", vmin=-1, vmax=1)
        right.set(xlabel="unit", ylabel="unit", title="correlation between units")
        right.grid(False)
        for axis in (right.xaxis, right.yaxis):
            axis.get_major_locator().set_params(integer=True)
        right.figure.colorbar(shown, ax=right)


def anomaly(view: View, path: Path) -> None:
    assert view.anomaly is not None and view.anomaly_scores is not None
    name, scores = view.anomaly, view.anomaly_scores
    with plots.chart(path, f"log p(x) of test images and of {name}", (6.4, 3.6)) as axes:
        plots.histogram(axes, {"test images": view.scores.cpu().numpy(), name: scores.cpu().numpy()})
        axes.set_xlabel("log p(x) / nats")
        axes.legend()
