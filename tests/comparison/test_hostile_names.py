"""Folders, names and options that some medium could read as more than text."""

import csv
import html
import os
import re
import warnings
from urllib.parse import unquote_to_bytes

from comparison.sweeps import compared
from reporting.hostile import HOSTILE
from runs.synthetic import write_run


def test_a_comparison_of_hostile_names(tmp_path, caplog):
    """In folders' names, in the name of the run and of an option, and in keys."""
    names = [name for name in HOSTILE if "\0" not in name and "/" not in name and len(name) < 200]
    for i, name in enumerate(names):
        folder = os.fsencode(tmp_path) + b"/" + os.fsencode(f"{name}.{i}")
        text = name if name.isprintable() else "plain"  # YAML itself escapes the others
        write_run(
            tmp_path / os.fsdecode(folder),
            pictures=i < 9,
            name=text,
            likelihood__name=text,
            latent__code_size=i,
        )
    caplog.set_level("INFO")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = compared(tmp_path)
    page = (out / "compare.html").read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    assert page.count("<script") == 1 and not re.search(r"<img src=x|<[^>]* onmouseover=", page)
    links = re.findall(r'href="([^"#]+)"', page)
    assert len(links) == len(names)
    for link in links:
        assert not re.match(r"[a-z]+:", html.unescape(link), re.IGNORECASE)
        assert os.path.exists(os.path.join(os.fsencode(out), unquote_to_bytes(html.unescape(link))))  # noqa: PTH110, PTH118, bytes
    with (out / "compare.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [c for c in cells if re.match(r"\s*[=+\-@]", c) and not re.fullmatch(r"-?[\d.e+-]+", c)]
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert {f"{name}.png" for name in ("lines", "curves", "samples", "rate_distortion")} <= {file.name for file in out.iterdir()}  # fmt: skip
