"""The picture of gradients: what it shows of which members, and when there is none."""

import json
from pathlib import Path

import numpy as np
import pytest
from comparison.sweeps import tabulate
from runs.synthetic import write_run

from vae_cli.comparison.gradients import gradients


def write(folder: Path, estimator: str, seed: int, variances: list[float], biases: list[float]) -> None:
    run = write_run(folder / f"{estimator}-{seed}", nll=10.0 + seed, estimator__name=estimator, seed=seed)
    with (run / "metrics.jsonl").open("a") as file:
        for i, variance in enumerate(variances):
            line = {"step": 10 * i, "epoch": i / 2, "split": "validation", "gradient_variance": variance}
            line |= {"gradient_bias": biases[i]} if biases else {}
            file.write(json.dumps(line) + "\n")


@pytest.fixture
def drawn(monkeypatch) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """(panel, steps, values) of each line that is drawn."""
    from matplotlib.axes import Axes

    found, plot = [], Axes.plot

    def recorded(self, x, y, *arguments, **settings):
        found.append((self.figure.axes.index(self), np.asarray(x), np.asarray(y)))
        return plot(self, x, y, *arguments, **settings)

    monkeypatch.setattr(Axes, "plot", recorded)
    return found


def test_lines_are_medians_over_seeds_at_common_steps(tmp_path, drawn):
    write(tmp_path, "disarm", 0, [4.0, 2.0, 1.0], [1.0, 1.0, 1.0])
    write(tmp_path, "disarm", 1, [8.0, 4.0], [1.0, 3.0])
    write(tmp_path, "arm", 0, [9.0, 9.0, 9.0], [1.0, 2.0, 2.0])
    caption = gradients(tabulate(tmp_path), tmp_path / "gradients.png")
    assert caption and "test.nll" in caption and (tmp_path / "gradients.png").stat().st_size > 10_000
    of_panel = {
        panel: [(x.tolist(), y.tolist()) for where, x, y in drawn if where == panel] for panel in (0, 1)
    }
    assert ([0, 10], [6.0, 3.0]) in of_panel[0] and ([0, 10, 20], [9.0, 9.0, 9.0]) in of_panel[0]
    assert ([0, 10], [1.0, 2.0]) in of_panel[1] and ([0, 10, 20], [1.0, 2.0, 2.0]) in of_panel[1]


def test_a_gradient_without_variance_has_no_line(tmp_path, drawn):
    """A logarithmic axis has no 0; the estimator still stands on the right."""
    write(tmp_path, "exact", 0, [0.0, 0.0], [])
    write(tmp_path, "arm", 0, [9.0, 8.0], [])
    assert gradients(tabulate(tmp_path), tmp_path / "gradients.png")
    assert [y.tolist() for _, _, y in drawn] == [[9.0, 8.0]]


def test_without_two_rows_or_measurements_there_is_no_picture(tmp_path):
    for name in ("disarm", "arm"):
        write(tmp_path / "unmeasured", name, 0, [], [])
    for seed in (0, 1):
        write(tmp_path / "alike", "arm", seed, [2.0, 1.0], [])
    for folder in ("unmeasured", "alike"):
        assert gradients(tabulate(tmp_path / folder), tmp_path / "gradients.png") is None
    assert not (tmp_path / "gradients.png").exists()
