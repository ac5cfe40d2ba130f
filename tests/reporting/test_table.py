"""The aligned table of the console."""

import pytest

from vae_cli.reporting import table
from vae_cli.reporting.table import aligned, columns_that_fit

ROWS = [["nll", "12.5", "nats"], ["active units", "3", ""]]


def test_columns_are_as_wide_as_their_widest_cell():
    assert aligned(ROWS, "<><") == ["  nll           12.5  nats", "  active units     3"]


def test_a_header_is_a_row_of_its_own():
    assert aligned([["1", "a"]], "><", ["value", "name"]) == ["  value  name", "      1  a"]


def test_no_rows_leave_the_header():
    assert aligned([], "<<", ["a", "b"]) == ["  a  b"]


@pytest.mark.parametrize(("width", "columns"), [(None, 3), (100, 3), (15, 3), (14, 2), (9, 1), (1, 1)])
def test_as_many_columns_as_the_terminal_has_room_for(width, columns):
    assert columns_that_fit([3, 4, 2], width) == columns  # 2 + 3 + 2 + 4 + 2 + 2 = 15


def test_columns_without_room_are_counted_and_said_to_be_elsewhere(monkeypatch):
    monkeypatch.setattr(table, "terminal_width", lambda: 21)
    assert aligned(ROWS, "<><", rest="FILE") == [
        "  nll           12.5",
        "  active units     3",
        "  and 1 more columns in FILE",
    ]
    assert aligned(ROWS, "<><")[0].endswith("nats")  # without `rest` nothing is left out
    monkeypatch.setattr(table, "terminal_width", lambda: None)
    assert aligned(ROWS, "<><", rest="FILE") == aligned(ROWS, "<><")
