"""compare.html: links, escapes, no network, and its table and pictures in a real browser."""

import html
import json
import os
import re
import subprocess
from urllib.parse import unquote

import pytest
from comparison.sweeps import REPORT, compared, tabulate
from reporting.browser import BROWSER, FLAGS, needs_browser
from runs.synthetic import write_run

from vae_cli.comparison.page import metrics_in_order, statistic_text
from vae_cli.comparison.table import Statistic


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


@pytest.mark.parametrize(
    ("statistic", "name", "text"),
    [
        (None, "test.nll", "–"),
        (Statistic(1104.0456, 14.027, 3), "test.nll", "1,104.046 ± 14.027"),
        (Statistic(8.0, None, 1), "test.nll", "8.000"),
        (Statistic(8.0, None, 1), "test.active_units", "8"),
        (Statistic(8.5, 0.5, 2), "steps", "8.500 ± 0.500"),
        (Statistic(1.0, None, 1), "evaluation.auroc", "1.000"),
    ],
)
def test_numbers_have_three_decimals_and_counts_none(statistic, name, text):
    assert statistic_text(statistic, name) == text


def test_the_compared_metric_is_the_first(sweep):
    assert metrics_in_order(tabulate(sweep, value="data.gap"))[:2] == ["data.gap", "test.nll"]


def test_columns_say_what_they_are_and_cards_show_the_best_row(written):
    page = html.unescape((written / "compare.html").read_text())
    assert 'title="nll − entropy of the data"><button type="button">data.gap / nats/image' in page
    assert re.findall(r'class="card"><b>(.*?)</b><span>best row: (\w+)', page) == [
        ("8.100 ± 0.141", "nll"), ("-9.100 ± 0.141", "elbo"), ("4.000 ± 0.000", "rate"), ("5.100 ± 0.141", "distortion"),
    ]  # fmt: skip


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
    run = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/profile", (tmp_path / "copy.html").as_uri()],
        env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(\{.*?)</title>", run.stdout, re.DOTALL)
    assert title, run.stdout[:500]
    seen = json.loads(html.unescape(title[1]))
    assert seen["all"] == seen["shown"] == 5 and seen["rows"] == 4 and seen["scroll"] <= seen["width"]
    (before, marked), (up, marked_up), (down, marked_down) = seen["steps"]
    assert (
        before == ["20", "20", "10", "10"]
        and up == ["10", "10", "20", "20"]
        and down == ["20", "20", "10", "10"]
    )
    assert [mark for mark in marked if mark] == ["ascending"] and marked[seen["at"]] is None
    assert [mark for mark in marked_up if mark] == [marked_up[seen["at"]]] == ["ascending"]
    assert [mark for mark in marked_down if mark] == [marked_down[seen["at"]]] == ["descending"]
