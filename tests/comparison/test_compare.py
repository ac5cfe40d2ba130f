"""vae-compare on synthetic run folders: what differs, what is averaged, what is named, what is drawn and linked."""

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from urllib.parse import unquote

import matplotlib.axes
import numpy as np
import pytest
import yaml
from reporting.test_html import BROWSER, needs_browser

from vae_cli.comparison import charts
from vae_cli.comparison.charts import label
from vae_cli.comparison.compare import compare
from vae_cli.comparison.gallery import trimmed
from vae_cli.comparison.table import Table, floor, matrix, table
from vae_cli.config.arguments import names, positional, quoted, run_folders
from vae_cli.errors import UserError
from vae_cli.reporting import plots
from vae_cli.runs.differing import differing
from vae_cli.runs.record import RunRecord, curve, read

PACKAGE = Path(__file__).resolve().parents[2]
ENTROPY = 5.0
REPORT = "latent.code_size=20,latent.temperature=0.5,seed=0/evaluation/report.html"
PICTURES = ("heat_map", "lines", "rate_distortion", "curves", "samples")
AUTO = {"x": "auto", "y": "auto", "value": "auto", "best": "auto", "out": None}


def write_run(
    folder: Path, nll: float | None = 10.0, status: str | None = "finished", pictures: bool = False, **changes: object
) -> Path:  # fmt: skip
    """What vae-compare reads of a run; `changes` name keys with __ for a dot."""
    config: dict = {
        "name": "synthetic",
        "seed": 0,
        "batch_size": 128,
        "data": {"name": "rectangles", "root": '${oc.env:VAE_CLI_DATA,"~/.cache/vae-cli"}'},
        "latent": {
            "name": "bernoulli",
            "_target_": "vae_cli.models.latents.Bernoulli",
            "code_size": 10,
            "temperature": 1.0,
        },
        "estimator": {"name": "concrete", "temperature": "${latent.temperature}"},
        "likelihood": {"name": "bernoulli"},
        "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999]},
    }
    for key, value in changes.items():
        group, _, rest = key.partition("__")
        if rest and value is None:
            config[group].pop(rest, None)
        elif rest:
            config[group][rest] = value
        else:
            config[key] = value
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if status is not None:
        test = None if nll is None else {"nll": nll, "nll_standard_error": 0.1, "nll_samples": 100, "elbo": -nll - 1,
                                         "rate": 4.0, "distortion": nll - 3, "rate_per_unit": [0.4] * 10}  # fmt: skip
        data = {"name": "rectangles", "entropy": ENTROPY, "gap": None if nll is None else nll - ENTROPY}
        summary = {
            "status": status,
            "steps": 100,
            "seconds": 2.5,
            "validation": None,
            "test": test,
            "data": data,
        }
        (folder / "summary.json").write_text(json.dumps(summary))
    if pictures:
        lines = [{"step": i, "epoch": i / 10, "split": "validation", "elbo": -20 + i / 10} for i in range(30)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "metrics.jsonl").write_text(text + '{"split": "validation", "el')
        (folder / "figures").mkdir()
        grid = np.full((40, 40, 3), 191, np.uint8)
        plots.save(folder / "figures/samples.png", grid, "samples")
    return folder


def read_all(folder: Path) -> list[RunRecord]:
    runs = run_folders([str(folder)])
    return [read(run, name) for run, name in zip(runs, names(runs), strict=True)]


def tabulate(folder: Path, **settings: object) -> Table:
    return table(read_all(folder), AUTO | settings)


def compared(folder: Path, **settings: object) -> Path:
    """The folder that a comparison wrote."""
    compare(AUTO | {"folders": [str(folder)]} | settings)
    return Path(str(settings.get("out") or folder / "comparison"))


@pytest.fixture
def sweep(tmp_path) -> Path:
    return write_sweep(tmp_path)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The comparison of such a sweep, one member of which was evaluated; for reading alone."""
    folder = write_sweep(tmp_path_factory.mktemp("written"))
    (folder / REPORT).parent.mkdir()
    (folder / REPORT).touch()
    return compared(folder)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Pictures take most of a comparison's second."""
    monkeypatch.setattr("vae_cli.comparison.compare.draw_all", lambda *_: {})


def write_sweep(tmp_path: Path) -> Path:
    """Two code sizes × two temperatures × two seeds, and three that have not finished."""
    nll = {(10, 0.5): 12.0, (10, 1.0): 11.0, (20, 0.5): 8.0, (20, 1.0): 9.0}
    for (size, temperature), value in nll.items():
        for seed in (0, 1):
            folder = tmp_path / f"sweep/latent.code_size={size},latent.temperature={temperature},seed={seed}"
            write_run(folder, value + 0.2 * seed, pictures=size == 20, seed=seed, latent__code_size=size,
                      latent__temperature=temperature)  # fmt: skip
    write_run(tmp_path / "sweep/running", status=None, latent__code_size=40)
    write_run(tmp_path / "sweep/broken", nll=None, status="failed", latent__code_size=50)
    write_run(tmp_path / "sweep/garbled", latent__code_size=60)
    (tmp_path / "sweep/garbled/summary.json").write_text('{"status": "fini')
    return tmp_path / "sweep"


# The table


def test_rows_are_best_first_with_mean_and_deviation_over_seeds(sweep):
    of = tabulate(sweep)
    assert of.columns == [
        "latent.code_size",
        "latent.temperature",
    ]  # and no estimator.temperature, which follows
    assert (of.value, of.maximize) == ("test.nll", False)
    assert [tuple(row.settings.values()) for row in of.rows] == [(20, 0.5), (20, 1.0), (10, 1.0), (10, 0.5)]
    best = of.rows[0].figures["test.nll"]
    assert best == (fmean([8.0, 8.2]), stdev([8.0, 8.2]), 2)
    assert {"test.elbo", "test.rate", "data.gap", "seconds", "steps"} <= set(of.figures)
    assert not any(name.endswith(("_samples", "_standard_error", "per_unit")) for name in of.figures)


def test_the_direction_belongs_to_the_figure(sweep):
    assert [row.settings["latent.code_size"] for row in tabulate(sweep, value="test.elbo").rows] == [
        20,
        20,
        10,
        10,
    ]
    upside_down = tabulate(sweep, value="test.nll", best="max")
    assert [row.settings["latent.code_size"] for row in upside_down.rows] == [10, 10, 20, 20]


def test_what_has_not_finished_is_named_and_not_averaged(sweep):
    statuses = {other.name: other.status for other in tabulate(sweep).others}
    assert statuses.keys() == {"running", "broken", "garbled"}
    assert (statuses["running"], statuses["broken"]) == ("unfinished", "failed")
    assert statuses["garbled"].startswith("unreadable: ")


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"a: [", b"\xff\xfe\x00", b"seed: 0\nlatent: 3\n"])
def test_no_configuration_is_fatal(tmp_path, content):
    write_run(tmp_path / "good")
    (write_run(tmp_path / "bad") / ".hydra/config.yaml").write_bytes(content)
    members = read_all(tmp_path)
    assert [member.name for member in members] == ["bad", "good"] and members[1].status == "finished"
    assert tabulate(tmp_path).rows


@pytest.mark.parametrize("content", ["[]", "null", '{"status": "finished", "test": 3}', '{"status": "finished", "data": []}'])  # fmt: skip
def test_no_summary_is_fatal(tmp_path, content):
    write_run(tmp_path / "good")
    (write_run(tmp_path / "bad") / "summary.json").write_text(content)
    of = tabulate(tmp_path)
    assert len(of.others) + len(of.rows[0].members) == 2


def test_figures_of_vae_eval_are_there(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "evaluation").mkdir()
    figures = {"nll": {"value": 7.5, "unit": "nats/image"}, "auroc": {"value": None}}
    (run / "evaluation/summary.json").write_text(json.dumps({"figures": figures}))
    of = tabulate(tmp_path, value="evaluation.nll")
    assert of.rows[0].figures["evaluation.nll"].mean == 7.5 and "evaluation.auroc" not in of.figures


def test_a_key_of_one_option_alone_is_no_difference_of_its_own(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", latent__name="gaussian", latent__temperature=None, estimator__name="pathwise",
              estimator__temperature=None)  # fmt: skip
    assert differing(read_all(tmp_path)) == ["latent", "estimator"]


def test_a_key_that_an_earlier_version_lacked_keeps_rows_apart(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", data__exclude_classes=[4])
    assert differing(read_all(tmp_path)) == ["data.exclude_classes"]
    assert len(tabulate(tmp_path).rows) == 2


def test_lists_and_switches_differ_as_texts(tmp_path):
    write_run(tmp_path / "a", optimizer__betas=[0.9, 0.99], optimizer__fused=True)
    write_run(tmp_path / "b", optimizer__fused=None)
    of = tabulate(tmp_path)
    assert {row.settings["optimizer.betas"] for row in of.rows} == {"[0.9, 0.99]", "[0.9, 0.999]"}
    assert {row.settings["optimizer.fused"] for row in of.rows} == {"true", None}


def test_the_same_run_twice_is_said(tmp_path):
    write_run(tmp_path / "a"), write_run(tmp_path / "b")
    (notice,) = tabulate(tmp_path).notices
    assert "more than once" in notice and "a, b" in notice


def test_rows_without_the_figure_come_last(tmp_path):
    write_run(tmp_path / "a", nll=None, batch_size=1)
    write_run(tmp_path / "b", batch_size=2), write_run(tmp_path / "c", nll=3.0, batch_size=3)
    for best in ("min", "max"):
        of = tabulate(tmp_path, value="test.nll", best=best)
        assert of.rows[-1].settings == {"batch_size": 1} and "1 of 3 rows have no test.nll" in of.notices[0]


# Folders


def test_runs_are_found_at_any_depth_once_and_not_within_a_run(tmp_path):
    for name in ("deep/er/run", "run"):
        write_run(tmp_path / name)
    (tmp_path / "run/inner/.hydra").mkdir(parents=True)
    (tmp_path / ".hidden/.hydra").mkdir(parents=True)
    found = run_folders([str(tmp_path), str(tmp_path / "run")])
    assert found == [tmp_path / "deep/er/run", tmp_path / "run"]
    assert names(found) == ["deep/er/run", "run"]
    assert names([tmp_path / "run"]) == ["run"]


def test_positional_folders_become_an_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=1,b=2").mkdir()
    assert positional(["a=1,b=2", "there", "x=a", "--cfg", "job"]) == [
        'folders=["a=1,b=2","there"]', "x=a", "--cfg", "job",
    ]  # fmt: skip
    assert positional(["there", "-m", "x=a,b"]) == ["-m", 'folders=["there"]', "x=a,b"]
    assert positional(["--help"]) == ["--help"] and positional(["out=a b"]) == ['out="a b"']


ODD = [
    "a=1,b=[2]",
    "two words",
    "it's",
    'a "quote"',
    "back\\slash",
    "${seed}",
    "{x: 1}",
    "end\\",
    "µ§中",
    "a\\\\${b}",
    "true",
]


@pytest.mark.parametrize("name", ODD)
def test_hydra_reads_a_quoted_name_back(name):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    override = OverridesParser.create().parse_override(f"folders=[{quoted(name)}]")
    (value,) = OmegaConf.create({"folders": override.value()}).folders
    assert str(value) == name


# Axes and pictures


def test_the_axes_are_the_keys_swept_together(sweep):
    of = tabulate(sweep)
    assert (of.x, of.y) == ("latent.code_size", "latent.temperature")
    of = tabulate(sweep, x="latent.temperature")
    assert (of.x, of.y) == ("latent.temperature", "latent.code_size")
    assert tabulate(sweep, y=None).y is None


def test_keys_that_vary_one_after_the_other_make_no_heat_map(tmp_path):
    for i in range(4):
        write_run(tmp_path / f"a{i}", batch_size=i + 1)
        write_run(tmp_path / f"b{i}", optimizer__lr=0.1 * (i + 1))
    of = tabulate(tmp_path)
    assert of.x and of.y is None


def test_the_matrix_has_each_mean_in_its_cell(sweep):
    write_run(sweep / "other", nll=99.0, latent__code_size=20, latent__temperature=0.5, batch_size=7)
    write_run(sweep / "alone", nll=7.0, latent__code_size=30, latent__temperature=2.0)
    xs, ys, means = matrix(tabulate(sweep), "latent.code_size", "latent.temperature")
    assert (xs, ys) == ([10, 20, 30], [0.5, 1.0, 2.0])
    nan = np.nan
    np.testing.assert_allclose(means, [[12.1, 8.1, nan], [11.1, 9.1, nan], [nan, nan, 7.0]])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 1, 10], True), ([1, 2, 3], False), ([10, 25, 50], False), (list(range(1, 101)), False),
     ([0.001, 0.003, 0.01, 0.03, 0.1], True), ([0, 1, 10, 100], False), ([-1, 1], False), ([5], False), ([1, 10], True)],
)  # fmt: skip
def test_axes_are_logarithmic_where_values_ask_for_it(values, expected):
    assert charts.is_logarithmic(values) is expected


@pytest.fixture
def drawn(monkeypatch) -> dict[str, list]:
    """What was said to matplotlib's axes."""
    said: dict[str, list] = {name: [] for name in ("set_xscale", "axhline", "errorbar", "plot")}
    for name, calls in said.items():
        original = getattr(matplotlib.axes.Axes, name)

        def wrapper(self, *args, calls=calls, original=original, **kwargs):
            calls.append((args, kwargs))
            return original(self, *args, **kwargs)

        monkeypatch.setattr(matplotlib.axes.Axes, name, wrapper)
    return said


@pytest.mark.parametrize(("rates", "scale"), [((0.1, 1.0, 10.0), "log"), ((1.0, 2.0, 3.0), "linear")])
def test_the_line_plot(tmp_path, drawn, rates, scale):
    for i, rate in enumerate(rates):
        for seed in (0, 1):
            write_run(tmp_path / f"{rate}-{seed}", nll=10.0 - i + seed, optimizer__lr=rate, seed=seed)
    of = tabulate(tmp_path)
    assert charts.heat_map(of, tmp_path / "heat.png") is None
    assert charts.lines(of, tmp_path / "lines.png") and (tmp_path / "lines.png").stat().st_size > 1000
    assert drawn["set_xscale"][-1][0] == (scale,)
    ((x, y, error), _), *_ = drawn["errorbar"]
    assert x == list(rates) and y == [10.5, 9.5, 8.5] and error == [stdev([0, 1])] * 3
    assert [call[0][0] for call in drawn["axhline"]] == [ENTROPY]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("test.nll", ENTROPY), ("test.elbo", -ENTROPY), ("data.gap", 0.0), ("evaluation.bound_10", -ENTROPY), ("test.rate", None)],
)  # fmt: skip
def test_the_floor_of_each_figure(tmp_path, value, expected):
    write_run(tmp_path / "a")
    assert floor(tabulate(tmp_path).rows[0], value) == expected


def test_members_of_different_data_have_no_common_floor(tmp_path, drawn):
    write_run(tmp_path / "a")
    other = write_run(tmp_path / "b", data__name="squares")
    summary = json.loads((other / "summary.json").read_text())
    summary["data"]["entropy"] = 9.0
    (other / "summary.json").write_text(json.dumps(summary))
    of = tabulate(tmp_path)
    assert charts.lines(of, tmp_path / "lines.png") and not drawn["axhline"]
    assert "differ in their data" in of.notices[0]


def test_curves_are_thinned_and_keep_their_end(tmp_path):
    lines = [{"epoch": i, "split": "validation", "elbo": -i} for i in range(1, 5001)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    split, points = curve(tmp_path)
    assert split == "validation" and len(points) == 200 and points[-1] == (5000, -5000)


def test_without_validation_the_curve_is_of_training(tmp_path):
    lines = [{"epoch": 1, "split": "train", "elbo": -3}, {"epoch": 1, "split": "train", "epoch_elbo": -4}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert curve(tmp_path) == ("train", [(1, -4)])
    assert curve(tmp_path / "nowhere") == ("train", [])


def test_samples_lose_title_and_margins_and_what_is_beyond_ten():
    image = np.full((200, 150, 3), 255, np.uint8)
    image[20:181, 10:131] = 0
    image[20:181:8, 10:131] = image[20:181, 10:131:8] = 191
    assert trimmed(image).shape == (81, 81, 3)
    assert (trimmed(image)[[0, -1]] == 191).all()
    assert trimmed(np.zeros((9, 9, 3), np.uint8)).shape == (9, 9, 3)


def test_labels_are_no_mathematics():
    assert label("a$b$_") == r"a\$b\$_" and label("_hidden") == " _hidden" and len(label("x" * 99)) == 60


# What is written


def test_the_csv_parses_back(written):
    with (written / "compare.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    of = tabulate(written.parent)
    assert [line["status"] for line in lines[:5]] == ["finished"] * 4 + ["failed"]
    for line, row in zip(lines, of.rows, strict=False):
        assert float(line["test.nll"]) == row.figures["test.nll"].mean
        assert float(line["test.nll.std"]) == row.figures["test.nll"].std
        assert (int(line["n"]), int(line["latent.code_size"])) == (2, row.settings["latent.code_size"])
        assert line["members"].split("; ") == [member.name for member in row.members]
    assert {line["members"]: line["latent.code_size"] for line in lines[4:]} == {"broken": "50", "garbled": "60", "running": "40"}  # fmt: skip


def test_all_is_written(written):
    pictures = {f"{name}.png" for name in PICTURES}
    assert {file.name for file in written.iterdir()} == {
        "compare.csv",
        "compare.html",
        "compare.json",
    } | pictures
    assert [file.name for file in written.parent.iterdir() if file.name.startswith(".")] == []
    found = json.loads((written / "compare.json").read_text())
    assert found["rows"][0]["figures"]["test.nll"]["n"] == 2 and len(found["others"]) == 3


def test_a_comparison_replaces_the_earlier_one_whole(sweep, undrawn):
    (compared(sweep) / "stale.png").touch()
    assert not (compared(sweep) / "stale.png").exists() and not list(sweep.glob(".comparison-*"))


def test_a_failure_leaves_the_earlier_comparison(sweep, undrawn, monkeypatch):
    out = compared(sweep)
    before = (out / "compare.html").read_bytes()
    monkeypatch.setattr("vae_cli.comparison.compare.comparison_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compared(sweep)
    assert (out / "compare.html").read_bytes() == before and not list(sweep.glob(".comparison-*"))


def test_what_is_no_comparison_is_not_replaced(sweep, tmp_path, undrawn):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(UserError, match="something else than a comparison"):
        compared(sweep, out=str(tmp_path / "mine"))
    assert (tmp_path / "mine/thesis.tex").exists()


def test_one_run_is_a_comparison_too(tmp_path, undrawn):
    page = (compared(write_run(tmp_path / "only")) / "compare.html").read_text()
    assert "1 runs" not in page and 'href=".."' in page


def links(page: str) -> list[str]:
    return [unquote(html.unescape(link)) for link in re.findall(r'href="([^"#]+)"', page)]


def test_each_member_leads_to_its_report_or_its_folder(written):
    found = links((written / "compare.html").read_text())
    assert len(found) == 11 and all((written / link).exists() for link in found)
    assert found[0] == f"../{REPORT}" and f"../{REPORT.partition('/')[0]}" not in found


def test_names_are_escaped(tmp_path):
    odd = "<script>alert(1)<"
    write_run(tmp_path / odd, pictures=True, name="</td><script>x")
    write_run(tmp_path / "b % # ? $x$", name="b")
    out = compared(tmp_path)
    page = (out / "compare.html").read_text()
    assert page.count("<script") == 1 and "&lt;script&gt;alert(1)&lt;" in page
    assert all((out / link).exists() for link in links(page))


def test_nothing_comes_from_the_network(written):
    page = (written / "compare.html").read_text()
    sources = re.findall(r"""(?:src|srcset|poster)\s*=\s*["']?([^"'\s>]+)""", page)
    assert len(sources) == 5 and all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"url\(|@import|<link|<iframe|https?:", page)


CLICK = """<script>addEventListener("load", () => {
  const heads = [...document.querySelectorAll("#members th")];
  const rows = [...document.querySelectorAll("#members tbody tr")];
  const at = heads.findIndex(h => h.textContent.startsWith("latent.code_size"));
  const column = () => [...document.querySelectorAll("#members tbody tr")].map(r => r.cells[at].dataset.sort);
  const sorted = () => heads.map(h => h.getAttribute("aria-sort"));
  const steps = [[column(), sorted()]];
  for (let i = 0; i < 2; i++) { heads[at].querySelector("button").click(); steps.push([column(), sorted()]); }
  document.title = JSON.stringify({steps, at, all: document.images.length, rows: rows.length,
    scroll: document.documentElement.scrollWidth, width: innerWidth,
    shown: [...document.images].filter(i => i.complete && i.naturalWidth > 0).length});
});</script></body>"""


@needs_browser
def test_a_browser_sorts_the_table_and_shows_every_picture(written, tmp_path):
    page = (written / "compare.html").read_text()
    assert page.count("</body>") == 1
    (tmp_path / "copy.html").write_text(page.replace("</body>", CLICK))
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    run = subprocess.run(
        [BROWSER, *flags, f"--user-data-dir={tmp_path}/profile", (tmp_path / "copy.html").as_uri()],
        env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(\{.*?)</title>", run.stdout, re.DOTALL)
    assert title, run.stdout[:500]
    told = json.loads(html.unescape(title[1]))
    assert told["all"] == told["shown"] == 5 and told["rows"] == 4 and told["scroll"] <= told["width"]
    (before, marked), (up, marked_up), (down, marked_down) = told["steps"]
    assert (
        before == ["20", "20", "10", "10"]
        and up == ["10", "10", "20", "20"]
        and down == ["20", "20", "10", "10"]
    )
    assert [mark for mark in marked if mark] == ["ascending"] and marked[told["at"]] is None
    assert [mark for mark in marked_up if mark] == [marked_up[told["at"]]] == ["ascending"]
    assert [mark for mark in marked_down if mark] == [marked_down[told["at"]]] == ["descending"]


# The command line


def test_the_command_prints_the_table_and_names_what_has_not_finished(command, sweep):
    run = command("vae-compare", sweep, "value=test.nll", cwd=sweep)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    header, first, *_ = run.stdout.splitlines()
    assert header.split()[:4] == ["latent.code_size", "latent.temperature", "n", "test.nll"]
    assert first.split()[:6] == ["20", "0.5", "2", "8.100", "±", "0.141"]
    assert "broken: failed" in run.stdout and "running: unfinished" in run.stdout
    assert run.stdout.rstrip().endswith("comparison/compare.html")


def test_odd_folders_from_the_command_line(command, tmp_path):
    folders = [write_run(tmp_path / name, batch_size=i + 1) for i, name in enumerate(ODD)]
    run = command("vae-compare", *(f.name for f in folders), "out=a=b, [c]", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert len(json.loads((tmp_path / "a=b, [c]/compare.json").read_text())["rows"]) == len(ODD)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["empty"], "empty has no run in it"),
        ([], "vae-compare FOLDER"),
        (["sweep", "value=test.nl"], "did you mean 'test.nll'?"),
        (["sweep", "x=latent.code_siz"], "did you mean 'latent.code_size'?"),
        (["sweep", "y=batch_size"], "y=batch_size does not differ between the members, it is 128"),
        (["sweep", "x=seed"], "seeds make up mean and standard deviation"),
        (["sweep", "x=latent.code_size", "y=latent.code_size"], "is x already"),
        (["sweep", "best=up"], "allowed is auto, max, min"),
        (["sweep", "valu=test.nll"], "did you mean 'value'?"),
        (["sweep", "--valu=test.nll"], "keys are written key=value"),
        (["sweep/running"], "no run has finished: running: unfinished"),
        (["sweep", "out=thing"], "out=thing is no folder"),
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


@pytest.mark.parametrize("name", ["classifier_accuracy", "pixels_logistic"])
def test_the_highest_accuracy_comes_first(tmp_path, name):
    for i, accuracy in enumerate((0.5, 0.9, 0.7)):
        run = write_run(tmp_path / f"{i}", batch_size=i + 1)
        (run / "evaluation").mkdir()
        (run / "evaluation/summary.json").write_text(json.dumps({"figures": {name: {"value": accuracy}}}))
    of = tabulate(tmp_path, value=f"evaluation.{name}")
    assert [row.settings["batch_size"] for row in of.rows] == [2, 3, 1] and of.maximize


def test_a_metric_without_a_direction_asks_for_one(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "evaluation").mkdir()
    figures = {"anomaly_nll": {"value": 9.0}, "novelty": {"value": 1.0}}
    (run / "evaluation/summary.json").write_text(json.dumps({"figures": figures}))
    for name in figures:
        with pytest.raises(UserError, match="say best=max or best=min"):
            tabulate(tmp_path, value=f"evaluation.{name}")
        assert tabulate(tmp_path, value=f"evaluation.{name}", best="max").maximize
