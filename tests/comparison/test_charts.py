"""The charts: what they pass to matplotlib, and when there is nothing to draw."""

import json
from statistics import stdev

import matplotlib.axes
import numpy as np
import pytest
from comparison.sweeps import tabulate
from runs.synthetic import ENTROPY, write_run

from vae_cli.comparison import charts
from vae_cli.comparison.curves import curves
from vae_cli.comparison.heat_map import heat_map, matrix
from vae_cli.comparison.labels import is_logarithmic, member_title, spans_decades


@pytest.fixture
def drawn(monkeypatch) -> dict[str, list]:
    """The calls of methods of matplotlib's axes."""
    every: dict[str, list] = {name: [] for name in ("set_xscale", "axhline", "errorbar", "plot", "scatter")}
    for name, calls in every.items():
        original = getattr(matplotlib.axes.Axes, name)

        def wrapper(self, *args, calls=calls, original=original, **kwargs):
            calls.append((args, kwargs))
            return original(self, *args, **kwargs)

        monkeypatch.setattr(matplotlib.axes.Axes, name, wrapper)
    return every


def test_the_matrix_has_the_mean_of_the_best_row_in_each_cell(sweep):
    write_run(sweep / "other", nll=99.0, latent__code_size=20, latent__temperature=0.5, batch_size=7)
    write_run(sweep / "alone", nll=7.0, latent__code_size=30, latent__temperature=2.0)
    xs, ys, means = matrix(tabulate(sweep), "latent.code_size", "latent.temperature")
    assert (xs, ys) == ([10, 20, 30], [0.5, 1.0, 2.0])
    nan = np.nan
    np.testing.assert_allclose(means, [[12.1, 8.1, nan], [11.1, 9.1, nan], [nan, nan, 7.0]])


@pytest.mark.parametrize(("rates", "scale"), [((0.1, 1.0, 10.0), "log"), ((1.0, 2.0, 3.0), None)])
def test_the_line_plot(tmp_path, drawn, rates, scale):
    for i, rate in enumerate(rates):
        for seed in (0, 1):
            write_run(tmp_path / f"{rate}-{seed}", nll=10.0 - i + seed, optimizer__lr=rate, seed=seed)
    table = tabulate(tmp_path)
    assert heat_map(table, tmp_path / "heat.png") is None
    assert charts.lines(table, tmp_path / "lines.png") and (tmp_path / "lines.png").stat().st_size > 1000
    assert [call[0] for call in drawn["set_xscale"]] == ([(scale,)] if scale else [])
    ((x, y, error), _), *_ = drawn["errorbar"]
    assert x == list(rates) and y == [10.5, 9.5, 8.5] and error == [stdev([0, 1])] * 3
    assert [call[0][0] for call in drawn["axhline"]] == [ENTROPY]


def test_the_line_plot_leaves_out_lines_beyond_its_ten_colours(tmp_path, drawn):
    for i in range(12):
        for rate in (0.1, 0.2):
            write_run(tmp_path / f"{i}-{rate}", batch_size=i + 1, optimizer__lr=rate)
    caption = charts.lines(tabulate(tmp_path, x="optimizer.lr"), tmp_path / "lines.png")
    assert "2 more values of batch_size are left out" in caption and len(drawn["errorbar"]) == 10


def test_members_of_different_data_have_no_common_floor(tmp_path, drawn):
    write_run(tmp_path / "a")
    other = write_run(tmp_path / "b", data__name="squares")
    summary = json.loads((other / "summary.json").read_text())
    summary["data"]["entropy"] = 9.0
    (other / "summary.json").write_text(json.dumps(summary))
    assert charts.lines(tabulate(tmp_path), tmp_path / "lines.png") and not drawn["axhline"]


def test_rate_and_distortion_have_a_point_for_each_member(sweep, drawn, tmp_path):
    assert charts.rate_distortion(tabulate(sweep), tmp_path / "rate.png")
    points = np.concatenate([np.array(arguments) for arguments, _ in drawn["scatter"]], -1)
    assert points.shape == (2, 8) and set(points[0]) == {4.0}
    ((ends, _), _), *_ = drawn["plot"]
    assert ends == [0, ENTROPY]


def test_curves_are_drawn_of_members_that_have_logged(sweep, drawn, tmp_path):
    assert curves(tabulate(sweep), tmp_path / "curves.png")
    assert len(drawn["plot"]) == 4 and drawn["axhline"][0][0] == (-ENTROPY,)
    write_run(tmp_path / "alone/run")
    assert curves(tabulate(tmp_path / "alone"), tmp_path / "none.png") is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 1, 10], True), ([1, 2, 3], False), ([10, 25, 50], False), (list(range(1, 101)), False),
     ([0.001, 0.003, 0.01, 0.03, 0.1], True), ([0, 1, 10, 100], False), ([-1, 1], False), ([5], False), ([1, 10], True)],
)  # fmt: skip
def test_axes_are_logarithmic_if_the_values_are_spaced_so(values, expected):
    assert is_logarithmic(values) is expected


@pytest.mark.parametrize(("values", "expected"), [([1, 101], True), ([1, 99], False), ([-1, 500], False), ([], False)])  # fmt: skip
def test_values_over_decades(values, expected):
    assert spans_decades(values) is expected


def test_the_title_of_a_member_has_the_settings_that_its_name_lacks(tmp_path):
    write_run(tmp_path / "batch_size=1", batch_size=1), write_run(tmp_path / "b", batch_size=2)
    table = tabulate(tmp_path)
    titles = {member_title(table, row, member) for row, member in table.pairs}
    assert titles == {"batch_size=1", "b (batch_size=2)"}


def test_the_title_of_a_member_with_a_long_name_is_its_settings(tmp_path):
    """Of two members that differ in their seed alone, it is the name: pictures then show which is which."""
    long = "epochs=8,train_size=2000," + "x" * 60
    write_run(tmp_path / f"{long}=1", batch_size=1), write_run(tmp_path / f"{long}=2", batch_size=2)
    table = tabulate(tmp_path)
    assert {member_title(table, *pair) for pair in table.pairs} == {"batch_size=1", "batch_size=2"}
    write_run(tmp_path / f"{long}=3", batch_size=2, seed=1)
    table = tabulate(tmp_path)
    titles = {member_title(table, *pair) for pair in table.pairs}
    assert titles == {"batch_size=1", f"{long}=2 (batch_size=2)", f"{long}=3 (batch_size=2)"}
