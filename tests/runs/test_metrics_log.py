"""metrics.jsonl is written line by line, truncated where a run is resumed, and readable if its last line is
incomplete."""

import json

import pytest
from runs.synthetic import write_metrics

from vae_cli.runs.metrics_log import MetricsLog, curve, finite_number, latest, read, truncate

INCOMPLETE = '{"step": 9, "spl'


def line(step: int, split: str = "train", **metrics: float) -> dict:
    return {"step": step, "epoch": step / 2, "split": split, **metrics}


def test_a_line_can_be_read_as_soon_as_it_is_appended(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", 0)
    log.append(line(1, loss=float("nan")))
    assert read(tmp_path / "metrics.jsonl") == [line(1) | {"loss": None}]
    log.close()


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_resumed_run_keeps_the_lines_up_to_its_step(tmp_path, step):
    """It removes a test, which it repeats, and the incomplete line of a process that died."""
    file = write_metrics(tmp_path, [line(1), line(1, "validation"), line(2), line(2, "test"), line(3)])
    file.write_text(file.read_text() + INCOMPLETE)
    log = MetricsLog(file, step)
    log.append(line(7))
    log.close()
    expected = [each for each in (line(1), line(1, "validation"), line(2), line(3)) if each["step"] <= step]
    assert [json.loads(text) for text in file.read_text().splitlines()] == [*expected, line(7)]


def test_a_new_run_begins_with_an_empty_file(tmp_path):
    truncate(tmp_path / "metrics.jsonl", 0)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_reading_ignores_an_incomplete_line(tmp_path):
    file = write_metrics(tmp_path, [line(1, loss=2.0)])
    file.write_text(file.read_text() + INCOMPLETE)
    assert read(file) == [line(1, loss=2.0)]
    assert read(tmp_path / "nothing.jsonl") == []


def test_a_long_curve_is_thinned_and_keeps_its_last_point(tmp_path):
    file = write_metrics(tmp_path, [line(2 * i, "validation", elbo=-i) for i in range(1, 5001)])
    split, points = curve(file)
    assert split == "validation" and len(points) == 200 and points[-1] == (5000, -5000)


def test_without_validation_the_curve_shows_training(tmp_path):
    file = write_metrics(tmp_path, [line(2, elbo=-3), line(2, epoch_elbo=-4)])
    assert curve(file) == ("train", [(1, -4)])
    assert curve(tmp_path / "nothing.jsonl") == ("train", [])


def test_a_curve_has_only_finite_points(tmp_path):
    bad = [line(2, "validation", elbo=None), line(4, "validation", elbo=float("inf"))]
    file = write_metrics(tmp_path, [*bad, line(6, "validation", elbo=-1)])
    assert curve(file) == ("validation", [(3, -1)])


def test_the_latest_epoch_and_elbo_come_from_the_end_of_the_file(tmp_path):
    file = write_metrics(tmp_path, [line(i, elbo=-i) for i in range(1, 1000)] + [line(1000, loss=1.0)])
    assert latest(file) == (500, -999)
    file.write_text(file.read_text() + INCOMPLETE)
    assert latest(file) is None  # a line that is being written
    assert latest(tmp_path / "nothing.jsonl") is None


DAMAGED = ['{"step": 1, "epo', "[]", '{"step": "1", "epoch": 1, "split": "train"}', '{"step": 1}', "{" * 100_000, "\x00\x01", '{"step": 1e999, "epoch": 1, "split": "train"}']  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_costs_that_line(tmp_path, text):
    lines = [line(1), line(2), line(3)]
    file = write_metrics(tmp_path, lines)
    first, *others = file.read_text().splitlines(keepends=True)
    file.write_text("".join([first, text + "\n", *others]))
    assert read(file) == lines
    assert truncate(file, 2)[1] == 1 and read(file) == lines[:2]


@pytest.mark.parametrize("value", [True, "1", None, [], float("nan"), 10**400])
def test_what_is_no_finite_number_is_none(value):
    assert finite_number(value) is None


@pytest.mark.parametrize("damage", ["a line is gone", "a digit is another", "no file", "nothing"])
def test_a_resumed_run_knows_whether_its_earlier_lines_are_as_they_were(tmp_path, damage):
    """Lines after the mark may be there or not, whole or cut; `damage` comes before it."""
    file = tmp_path / "metrics.jsonl"
    log = MetricsLog(file, 0)
    for step in (1, 2):
        log.append(line(step))
    mark = log.mark()
    log.append(line(3))
    log.close()
    file.write_text(file.read_text()[:-5])
    if damage == "a line is gone":
        file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    elif damage == "a digit is another":
        file.write_text(file.read_text().replace('"step": 1', '"step": 0'))
    elif damage == "no file":
        file.unlink()
    log = MetricsLog(file, 2, mark)
    log.close()
    assert log.is_changed == (damage != "nothing")
    assert log.mark() == mark or log.is_changed
