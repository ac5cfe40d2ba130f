"""A member of which anything is damaged or absurd is named, and does not take the others down."""

import json
import os
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from comparison.sweeps import compared
from runs.synthetic import write_metrics, write_run

SUMMARIES = [
    b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"status": 3}', b'{"status": ["finished"]}',
    b'{"status": "finished", "test": 3, "data": []}', b'{"status": "finished", "test": {"nll": "low"}}',
    b'{"status": "finished", "test": {"nll": 1' + b"0" * 400 + b"}}", b'{"status": "finished", "test": {"nll": NaN}}',
    b'{"status": "finished", "test": {"nll": 1e308, "rate": -1e308, "distortion": 1e308}, "data": {"entropy": 1e308}}',
    b'{"status": "finished", "steps": 1' + b"0" * 5000 + b"}",
]  # fmt: skip
CONFIGS = [
    "", "[]", "{", "seed: 0", "a: !!python/object/apply:os.system [id]", "? {a: 1}\n: 2", "\x00", "- " * 5000, "seed: .nan",
    "seed: 0\nlatent: {code_size: 1" + "0" * 400 + "}", "seed: 0\nlatent: {code_size: .inf}", "seed: 0\nlatent: {1: 2}",
    "seed: 0\nlatent: {code_size: .nan}\nbatch_size: -1.0e+308", "seed: [0]\nlatent: {code_size: [1, {a: 2}]}",
    "seed: 0\n$x$_: $y$\nlatent: {'=cmd()': '<b>'}", "seed: 0\nname: " + "x" * 100_000,
]  # fmt: skip
METRICS = [
    [3, [], None, "text"],
    [{"split": "validation", "epoch": "one", "elbo": [1]}, {"split": ["validation"], "epoch": 1, "elbo": 1}],
    [{"split": "validation", "epoch": 1, "elbo": -1e308}, {"split": "validation", "epoch": 1e308, "elbo": 1}],
    [
        {"split": "validation", "epoch": 10**400, "elbo": 10**400},
        {"split": "validation", "epoch": -5, "elbo": -5},
    ],
]
EVALUATIONS = ["[]", "{", '{"figures": 3}', '{"figures": {"nll": 3}}', '{"figures": {"nll": {"value": 1e308}}, "settings": []}',
               '{"figures": {"$=<b>": {"value": 1}}, "settings": {"nll_samples": {}}}']  # fmt: skip


def png(width: int, height: int, content: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")  # fmt: skip


PICTURES = [b"", b"\x89PNG", b"GIF89a", png(0, 0), png(2**31 - 1, 2**31 - 1), png(2**32 - 1, 1), png(12_000, 12_000), png(9, 9),
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]  # fmt: skip


def compare_beside_good_ones(folder: Path) -> str:
    """The page. Two good members have their rows and pictures, and no warning is given."""
    for i in (1, 2):
        write_run(folder / f"good{i}", nll=float(i), pictures=True, batch_size=i, optimizer__lr=0.1 * i)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = compared(folder)
    found = json.loads((out / "compare.json").read_text())
    named = [Path(member).name for row in found["rows"] for member in row["members"]]
    assert {"good1", "good2"} <= set(named)
    assert "could not be drawn" not in str(found["notices"])
    assert (out / "samples.png").exists() and (out / "curves.png").exists()
    return (out / "compare.html").read_text()


def test_damaged_summaries_and_configurations(tmp_path):
    for i, content in enumerate(SUMMARIES):
        run = write_run(tmp_path / f"summary{i}", nll=20.0, batch_size=i + 10)
        (run / "summary.json").write_bytes(content)
    for i, content in enumerate(CONFIGS):
        run = write_run(tmp_path / f"config{i}", nll=20.0)
        (run / ".hydra/config.yaml").write_text(content)
    for i, content in enumerate(EVALUATIONS):
        run = write_run(tmp_path / f"evaluation{i}", nll=20.0)
        (run / "evaluation").mkdir()
        (run / "evaluation/summary.json").write_text(content)
    page = compare_beside_good_ones(tmp_path)
    for name in [f"summary{i}" for i in range(len(SUMMARIES))] + [f"config{i}" for i in range(len(CONFIGS))]:
        assert name in page
    assert "test.nll is 1e+308 and is left out" in page and "<b>" not in page.partition("<table")[2].partition("</table>")[0]  # fmt: skip


def test_damaged_metrics_and_samples(tmp_path):
    for i, lines in enumerate(METRICS):
        write_metrics(write_run(tmp_path / f"metrics{i}", nll=20.0, batch_size=i + 10), lines)
    run = write_run(tmp_path / "bytes", nll=20.0, batch_size=99)
    deep = b'{"elbo": ' + b"[" * 100_000 + b"\n" + b'{"elbo": 1' + b"0" * 5000 + b"}\n\xff\n"
    (run / "metrics.jsonl").write_bytes(deep)
    for i, content in enumerate(PICTURES):
        run = write_run(tmp_path / f"picture{i}", nll=15.0, batch_size=i + 200)
        (run / "figures").mkdir()
        (run / "figures/samples.png").write_bytes(content)
    page = compare_beside_good_ones(tmp_path)
    assert "Left out: picture" in page and "DecompressionBomb" in page


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_samples_that_are_no_file(tmp_path, make):
    run = write_run(tmp_path / "odd", nll=20.0, batch_size=5)
    (run / "figures").mkdir()
    make(run / "figures/samples.png")
    assert "odd (ValueError: samples.png is no file)" in compare_beside_good_ones(tmp_path)


def test_a_picture_that_cannot_be_drawn_is_a_notice(sweep, monkeypatch):
    monkeypatch.setitem(__import__("vae_cli.comparison.gallery", fromlist=["PICTURES"]).PICTURES, "lines", lambda *_: 1 / 0)  # fmt: skip
    out = compared(sweep)
    assert "lines.png could not be drawn: ZeroDivisionError" in (out / "compare.html").read_text()
    assert (out / "heat_map.png").exists() and not (out / "lines.png").exists()
