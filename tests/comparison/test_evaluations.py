"""Evaluations that were made with different settings."""

import json
from pathlib import Path

import pytest
from comparison.sweeps import compared, tabulate
from runs.synthetic import write_evaluation, write_run

from vae_cli.errors import UserError

METRICS = {"nll": 9.0, "rate": 4.0, "auroc": 0.5, "code_logistic": 0.9, "classifier_accuracy": 0.8}
DEFAULT = {"checkpoint": "best", "test_images": None, "nll_samples": 5000, "anomaly": None, "probe_images": 10000,
           "classifier_epochs": 10, "seed": 0}  # fmt: skip


def write_evaluated(folder: Path, settings: dict | None = None, **changes: object) -> None:
    run = write_run(folder, **changes)
    write_evaluation(run, **METRICS)
    file = run / "evaluation/summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"settings": DEFAULT | (settings or {})}))


@pytest.mark.parametrize(
    ("setting", "value", "shown", "mixed"),
    [
        ("nll_samples", 100, "nll_samples=100, 5000", {"nll", "auroc"}),
        ("test_images", 50, "test_images=50, all", set(METRICS)),
        ("checkpoint", "last", "checkpoint=best, last", set(METRICS)),
        ("anomaly", "mnist", "anomaly=all, mnist", {"auroc"}),
        ("probe_images", 9, "probe_images=9, 10000", {"code_logistic"}),
        ("classifier_epochs", 9, "classifier_epochs=9, 10", {"classifier_accuracy"}),
        ("seed", 1, "", set()),
        ("nll_samples", ["[odd]"], "nll_samples=5000, ['[odd]']", {"nll", "auroc"}),
    ],
)
def test_what_was_measured_with_different_settings_is_not_ranked(tmp_path, setting, value, shown, mixed):
    write_evaluated(tmp_path / "a", batch_size=1)
    write_evaluated(tmp_path / "b", {setting: value}, batch_size=2)
    for name in METRICS:
        if name in mixed:
            with pytest.raises(UserError, match="different settings") as error:
                tabulate(tmp_path, value=f"evaluation.{name}")
            assert shown in str(error.value)
        else:
            assert tabulate(tmp_path, value=f"evaluation.{name}").value == f"evaluation.{name}"
    notices = " ".join(tabulate(tmp_path).notices)
    assert shown in notices and ("different settings" in notices) == bool(mixed)


def test_a_row_that_mixes_settings_has_no_mean(tmp_path):
    write_evaluated(tmp_path / "a")
    write_evaluated(tmp_path / "b", {"nll_samples": 100}, seed=1)
    (row,) = tabulate(tmp_path).rows
    assert "evaluation.nll" not in row.metrics and row.metrics["evaluation.rate"].n == 2


def test_auto_chooses_a_metric_that_can_be_compared(tmp_path):
    for name, settings in (("a", {}), ("b", {"nll_samples": 100})):
        write_evaluated(tmp_path / name, settings, nll=None, batch_size=ord(name))
    assert tabulate(tmp_path).value == "evaluation.rate"


def test_the_page_and_the_console_say_it(tmp_path, undrawn, caplog):
    write_evaluated(tmp_path / "a", batch_size=1)
    write_evaluated(tmp_path / "b", {"nll_samples": 100}, batch_size=2)
    caplog.set_level("INFO")
    page = (compared(tmp_path) / "compare.html").read_text()
    assert "nll_samples=100, 5000" in page and "nll_samples=100, 5000" in caplog.text
