"""The table: means over seeds, the order of rows, unfinished members, notices."""

import json
from statistics import fmean, stdev

import pytest
from comparison.sweeps import tabulate
from runs.synthetic import ENTROPY, write_evaluation, write_run

from vae_cli.comparison.table import Table, floor
from vae_cli.errors import UserError


def column(table: Table, name: str) -> list:
    return [row.settings[name] for row in table.rows]


def test_rows_are_best_first_with_mean_and_deviation_over_seeds(sweep):
    table = tabulate(sweep)
    assert table.columns == ["latent.code_size", "latent.temperature"]
    assert (table.value, table.maximize) == ("test.nll", False)
    assert [tuple(row.settings.values()) for row in table.rows] == [
        (20, 0.5),
        (20, 1.0),
        (10, 1.0),
        (10, 0.5),
    ]
    assert table.rows[0].metrics["test.nll"] == (fmean([8.0, 8.2]), stdev([8.0, 8.2]), 2)
    assert {"test.elbo", "test.rate", "data.gap", "seconds", "steps"} <= set(table.metrics)
    assert not any(name.endswith(("_samples", "_standard_error", "per_unit")) for name in table.metrics)


def test_the_direction_belongs_to_the_metric(sweep):
    assert column(tabulate(sweep, value="test.elbo"), "latent.code_size") == [20, 20, 10, 10]
    assert column(tabulate(sweep, value="test.nll", best="max"), "latent.code_size") == [10, 10, 20, 20]


@pytest.mark.parametrize("name", ["classifier_accuracy", "pixels_logistic"])
def test_the_highest_accuracy_comes_first(tmp_path, name):
    for i, accuracy in enumerate((0.5, 0.9, 0.7)):
        write_evaluation(write_run(tmp_path / f"{i}", batch_size=i + 1), **{name: accuracy})
    table = tabulate(tmp_path, value=f"evaluation.{name}")
    assert column(table, "batch_size") == [2, 3, 1] and table.maximize


def test_a_metric_without_a_direction_asks_for_one(tmp_path):
    write_evaluation(write_run(tmp_path / "run"), anomaly_nll=9.0, novelty=1.0)
    for name in ("evaluation.anomaly_nll", "evaluation.novelty"):
        with pytest.raises(UserError, match="say best=max or best=min"):
            tabulate(tmp_path, value=name)
        assert tabulate(tmp_path, value=name, best="max").maximize


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [((), "test.nll"), (("nll",), "test.elbo"), (("nll", "elbo", "rate", "distortion"), "evaluation.auroc")],
)
def test_without_a_value_the_most_important_metric_is_compared(tmp_path, lacking, expected):
    run = write_run(tmp_path / "run")
    write_evaluation(run, novelty=2.0, auroc=0.5)
    summary = json.loads((run / "summary.json").read_text())
    summary["test"] = {name: value for name, value in summary["test"].items() if name not in lacking}
    (run / "summary.json").write_text(json.dumps(summary))
    assert tabulate(tmp_path).value == expected


def test_unfinished_members_are_named_and_not_averaged(sweep):
    statuses = {other.name: other.status for other in tabulate(sweep).others}
    assert statuses.keys() == {"running", "broken", "garbled"}
    assert (statuses["running"], statuses["broken"]) == ("unfinished", "failed")
    assert statuses["garbled"].startswith("unreadable: ")


def test_if_nothing_has_finished_the_first_members_are_named(tmp_path):
    for i in range(7):
        write_run(tmp_path / f"{i}", status="failed")
    with pytest.raises(UserError, match=r"no run has finished: 0: failed; .*4: failed; and 2 more"):
        tabulate(tmp_path)


def test_a_key_that_an_earlier_version_lacked_keeps_rows_apart(tmp_path):
    write_run(tmp_path / "a"), write_run(tmp_path / "b", data__exclude_classes=[4])
    assert column(tabulate(tmp_path), "data.exclude_classes") == [None, "[4]"]


def test_lists_and_switches_differ_as_texts(tmp_path):
    write_run(tmp_path / "a", optimizer__betas=[0.9, 0.99], optimizer__fused=True)
    write_run(tmp_path / "b", optimizer__fused=None)
    table = tabulate(tmp_path)
    assert set(column(table, "optimizer.betas")) == {"[0.9, 0.99]", "[0.9, 0.999]"}
    assert set(column(table, "optimizer.fused")) == {"true", None}


def test_the_same_configuration_and_seed_twice_is_a_notice(tmp_path):
    write_run(tmp_path / "a"), write_run(tmp_path / "b")
    (notice,) = tabulate(tmp_path).notices
    assert "more than once" in notice and "a, b" in notice


def test_rows_without_the_metric_come_last(tmp_path):
    write_run(tmp_path / "a", nll=None, batch_size=1)
    write_run(tmp_path / "b", batch_size=2), write_run(tmp_path / "c", nll=3.0, batch_size=3)
    for best in ("min", "max"):
        table = tabulate(tmp_path, value="test.nll", best=best)
        assert column(table, "batch_size")[-1] == 1 and "1 of 3 rows have no test.nll" in table.notices[0]


@pytest.mark.parametrize(("value", "noticed"), [("test.nll", True), ("seconds", False)])
def test_nats_of_different_data_are_a_notice(tmp_path, value, noticed):
    write_run(tmp_path / "a"), write_run(tmp_path / "b", data__name="squares")
    notices = tabulate(tmp_path, value=value).notices
    assert [notice.split(":")[0] for notice in notices] == ["The members differ in their data (rectangles, squares)"] * noticed  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [("test.nll", ENTROPY), ("test.elbo", -ENTROPY), ("data.gap", 0.0), ("evaluation.bound_10", -ENTROPY), ("test.rate", None)],
)  # fmt: skip
def test_the_floor_of_each_metric(tmp_path, value, expected):
    write_run(tmp_path / "a")
    assert floor(tabulate(tmp_path).rows[0], value) == expected
