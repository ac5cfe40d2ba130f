"""vae-compare: the files that it writes, the folder that it replaces, the command line."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from comparison.sweeps import ODD_NAMES, compared, tabulate
from runs.synthetic import write_run

from vae_cli.errors import UserError

PACKAGE = Path(__file__).resolve().parents[2]
PICTURES = ("heat_map", "lines", "rate_distortion", "curves", "samples")


def test_the_csv_parses_back(written):
    with (written / "compare.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    table = tabulate(written.parent)
    assert [line["status"] for line in lines[:5]] == ["finished"] * 4 + ["failed"]
    for line, row in zip(lines, table.rows, strict=False):
        assert float(line["test.nll"]) == row.metrics["test.nll"].mean
        assert float(line["test.nll.std"]) == row.metrics["test.nll"].std
        assert (int(line["n"]), int(line["latent.code_size"])) == (2, row.settings["latent.code_size"])
        assert line["members"].split("; ") == [member.name for member in row.members]
    assert {line["members"]: line["latent.code_size"] for line in lines[4:]} == {"broken": "50", "garbled": "60", "running": "40"}  # fmt: skip


def test_every_file_is_written(written):
    pictures = {f"{name}.png" for name in PICTURES}
    assert {file.name for file in written.iterdir()} == {
        "compare.csv",
        "compare.html",
        "compare.json",
    } | pictures
    assert [file.name for file in written.parent.iterdir() if file.name.startswith(".")] == []
    found = json.loads((written / "compare.json").read_text())
    assert found["rows"][0]["figures"]["test.nll"]["n"] == 2 and len(found["others"]) == 3


def test_a_failure_leaves_the_earlier_comparison(sweep, undrawn, monkeypatch):
    out = compared(sweep)
    before = (out / "compare.html").read_bytes()
    monkeypatch.setattr("vae_cli.comparison.compare.comparison_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compared(sweep)
    assert (out / "compare.html").read_bytes() == before and not list(sweep.glob(".comparison*"))


def test_a_folder_that_is_no_comparison_is_not_replaced(sweep, tmp_path, undrawn):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(UserError, match="is not empty and holds no comparison"):
        compared(sweep, out=str(tmp_path / "mine"))
    assert (tmp_path / "mine/thesis.tex").exists()


def test_the_command_prints_the_table_and_names_what_has_not_finished(command, sweep):
    run = command("vae-compare", sweep, "value=test.nll", cwd=sweep)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    header, first, *_ = run.stdout.splitlines()
    assert header.split()[:4] == ["latent.code_size", "latent.temperature", "n", "test.nll"]
    assert first.split()[:6] == ["20", "0.5", "2", "8.100", "±", "0.141"]
    assert "broken: failed" in run.stdout and "running: unfinished" in run.stdout
    assert run.stdout.rstrip().endswith("comparison/compare.html")


def test_odd_folders_from_the_command_line(command, tmp_path):
    folders = [write_run(tmp_path / name, batch_size=i + 1) for i, name in enumerate(ODD_NAMES)]
    run = command("vae-compare", *(f.name for f in folders), "out=a=b, [c]", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(json.loads((tmp_path / "a=b, [c]/compare.json").read_text())["rows"]) == len(ODD_NAMES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["empty"], "empty has no run in it"),
        ([], "vae-compare FOLDER"),
        (["sweep", "value=test.nl"], "did you mean 'test.nll'?"),
        (["sweep", "x=latent.code_siz"], "did you mean 'latent.code_size'?"),
        (["sweep", "best=up"], "allowed is auto, max, min"),
        (["sweep", "valu=test.nll"], "did you mean 'value'?"),
        (["sweep", "--valu=test.nll"], "keys are written key=value"),
        (["sweep/running"], "no run has finished: running: unfinished"),
        (["sweep", "out=thing"], "out=thing is not a folder"),
    ],
)
def test_bad_input_is_one_line(command, sweep, arguments, words):
    (sweep.parent / "empty").mkdir()
    (sweep.parent / "thing").touch()
    run = command("vae-compare", *arguments, cwd=sweep.parent)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("vae-compare: ") and words in line
    assert not (sweep / "comparison").exists()


def test_torch_is_not_imported(sweep):
    code = ("import sys; sys.argv = ['vae-compare', *sys.argv[1:]]; from vae_cli.cli import compare; compare(); "
            "assert not {'torch', 'tensorboard', 'sklearn', 'torchvision'} & sys.modules.keys()")  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(sweep)], env=environment, cwd=sweep, capture_output=True, text=True
    )
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert (sweep / "comparison/heat_map.png").exists()
