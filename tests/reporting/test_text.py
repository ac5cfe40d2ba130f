"""Hostile names are plain text in pictures, pages, spreadsheets and tables."""

import csv
import io
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image
from reporting.hostile import HOSTILE
from reporting.test_html import EMPTY

from vae_cli.errors import printable
from vae_cli.reporting import plots
from vae_cli.reporting.html import render
from vae_cli.reporting.table import aligned, width
from vae_cli.reporting.text import cell, label, plain


@pytest.mark.parametrize("text", HOSTILE)
def test_text_has_neither_control_characters_nor_marks_of_direction(text):
    for shown in (*plain(text).split("\n"), label(text), *aligned([[text, "1"]], "<>")):
        assert shown.isprintable() and shown.encode()
    assert len(label(text)) <= 61 and not label(text).startswith("_")


def test_pictures_show_names_letter_by_letter(tmp_path):
    """As title, legend, labels of axes and ticks. A warning is an error."""
    names = list(map(label, HOSTILE))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with plots.chart(tmp_path / "chart.png", " ".join(HOSTILE), (6.4, 9.0)) as axes:
            for i, name in enumerate(names):
                axes.plot([i], [i], label=name)
            axes.set(xlabel=names[2], ylabel=names[3], title=names[4])
            axes.set_xticks(range(len(names)), names, rotation=90)
            axes.legend(title=names[1])
    texts = axes.figure.findobj(Text)
    assert not any(text.get_parse_math() for text in texts if text.get_text().strip("0123456789.−"))
    assert {text.get_text() for text in texts} >= set(names)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    for i, name in enumerate(HOSTILE):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            file = tmp_path / f"{i}.png"
            plots.save(file, np.zeros((4, 8, 3), np.uint8), name, [name], [name, ""])
        with Image.open(file) as image:
            assert image.width < 3000 and image.height < 500


def test_powers_of_ten_are_still_mathematics(tmp_path):
    with plots.chart(tmp_path / "chart.png", "$") as axes:
        axes.plot([1, 1e6], [1, 1e6], label="$x$")
        axes.set(xscale="log", xlabel="$x")
    ticks = axes.get_xticklabels()
    assert any("10^" in tick.get_text() for tick in ticks) and all(tick.get_parse_math() for tick in ticks)
    assert not axes.xaxis.label.get_parse_math()


class Elements(HTMLParser):
    """The tags of a page with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_has_the_same_elements_whatever_the_names_are(name):
    """In the text and in attributes of a comparison, whose links and cells come from folders."""

    def page(text: str) -> str:
        row = {
            "name": text, "common": text, "links": [{"href": "x", "name": text, "text": text}],
            "cells": [{"kind": "number", "sort": text, "text": text}],
        }  # fmt: skip
        head = {"name": text, "meaning": text, "kind": "number", "sorted": "ascending"}
        other = {"href": "x", "name": text, "status": text}
        more = {"title": text, "subtitle": text, "notices": [text], "commands": text, "value": text}
        return render("compare.html", **EMPTY | more, rows=[row], heads=[head], others=[other])

    assert Elements(page(name)).found == Elements(page("plain")).found
    assert page(name).encode() and plain(name).count("\n") == name.count("\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_a_spreadsheet_is_a_formula(name):
    written = io.StringIO()
    csv.writer(written).writerow([cell(name)])
    ((read,),) = csv.reader(io.StringIO(written.getvalue()))
    assert not re.match(r"\s*[=+\-@＝＋－＠]", read) and "\t" not in read and "\r" not in read
    assert read.endswith(printable(name))


@pytest.mark.parametrize("value", [-1.5, -2, 0, None, 1e-300, True, "-1.5", "+3", "-1e-3", "5"])
def test_numbers_stay_numbers(value):
    assert cell(value) == value


def test_tables_are_aligned_by_the_width_of_letters():
    lines = aligned([["中文", "1"], ["e\u0301", "2"], ["plain", "3"]], "<>")
    assert {width(line) for line in lines} == {10} and width("😀") == 2
