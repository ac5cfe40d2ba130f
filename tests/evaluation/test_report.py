"""report.html in a real browser: every picture shows, nothing is loaded from elsewhere, and it fits a telephone."""

import html
import json
import os
import re
import subprocess

import pytest
from evaluation.outcome import figures
from reporting.browser import BROWSER, FLAGS, needs_browser

WIDTHS = (390, 1280)  # of a telephone and of a screen
PICTURES = {"curves", "reconstructions", "samples", "class_samples", "scatter", "plane", "interpolations",
            "traversals", "rates", "likelihood", "bounds", "extremes"}  # fmt: skip
# Each copy of the page sends its sizes to the page around it: a frame can be narrower than a browser's window.
TELL = """<script>addEventListener("load", () => parent.postMessage({
  width: innerWidth, scroll: document.documentElement.scrollWidth, all: document.images.length,
  shown: [...document.images].filter(i => i.complete && i.naturalWidth > 0).length,
  links: [...document.links].filter(a => !document.getElementById(a.hash.slice(1))).length,
}, "*"))</script></body>"""
LISTEN = """<!doctype html><title>waiting</title><script>const messages = [];
addEventListener("message", e => { messages.push(e.data); document.title = JSON.stringify(messages); });</script>"""


@pytest.fixture(scope="module")
def report(evaluated) -> str:
    """The page of a run on digits with every picture."""
    return (evaluated("gaussian").folder / "evaluation/report.html").read_text()


@pytest.fixture(scope="module")
def messages(report, tmp_path_factory) -> list[dict]:
    """The page's sizes and pictures at each width."""
    folder = tmp_path_factory.mktemp("page")
    assert report.count("</body>") == 1
    (folder / "copy.html").write_text(report.replace("</body>", TELL))
    frames = "".join(
        f'<iframe src="copy.html" width="{w}" height="800" style="border:0"></iframe>' for w in WIDTHS
    )
    (folder / "around.html").write_text(LISTEN + frames)
    run = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder}/profile", (folder / "around.html").as_uri()],
        env=os.environ | {"HOME": str(folder)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    title = re.search(r"<title>(.*?)</title>", run.stdout, re.DOTALL)
    assert title and title[1].startswith("["), run.stdout[:500]
    return sorted(json.loads(html.unescape(title[1])), key=lambda page: page["width"])


@needs_browser
def test_every_picture_shows(messages):
    assert [page["width"] for page in messages] == list(WIDTHS)
    for page in messages:
        assert page["all"] == page["shown"] == len(PICTURES)


@needs_browser
def test_the_page_fits_the_width_of_a_telephone(messages):
    for page in messages:
        assert page["scroll"] <= page["width"]


@needs_browser
def test_every_link_leads_to_a_place_in_the_page(messages):
    assert [page["links"] for page in messages] == [0, 0]


def test_nothing_comes_from_the_network(report):
    """src= and href= are data or places in the page; no style sheet, font or script is asked for."""
    sources = re.findall(r"""(?:src|href|srcset|poster)\s*=\s*["']?([^"'\s>]+)""", report)
    assert sources and all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"url\(|@import|<script|<link|<iframe", report)


def test_every_picture_has_its_caption_once(report):
    assert set(re.findall(r'<figure id="(\w+)">', report)) == PICTURES
    captions = re.findall(r"<figcaption>(.+?)</figcaption>", report)
    assert len(captions) == len(set(captions)) == len(PICTURES)
    assert all(f'alt="{caption}"' in report for caption in captions)


def test_the_page_has_the_metrics_of_summary_json(report, evaluated):
    found = figures(evaluated("gaussian").folder)
    body = html.unescape(report.partition("<tbody>")[2].partition("</tbody>")[0])
    assert body.count("<tr>") == len(found)
    for name, figure in found.items():
        assert name.replace("_", " ") in body and figure["meaning"] in body
    assert f"{found['nll']['value']:,.3f}" in body
