"""Pages from templates."""

import base64

import jinja2
import pytest

from vae_cli.reporting.html import embedded, number, render

EMPTY = {"title": "", "subtitle": "", "notices": [], "cards": [], "pictures": [], "commands": ""}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1234, "1,234"), (1234.5678, "1,234.568"), (2.0, "2.000"), (-0.5, "-0.500")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_text_is_escaped():
    page = render("base.html", **(EMPTY | {"title": "a & b", "notices": ["<script>"]}))
    assert "<h1>a &amp; b</h1>" in page and "&lt;script&gt;" in page and "<script" not in page


def test_a_value_that_the_template_needs_cannot_be_forgotten():
    with pytest.raises(jinja2.UndefinedError, match="cards"):
        render("base.html", **{key: value for key, value in EMPTY.items() if key != "cards"})


def test_pictures_are_embedded(tmp_path):
    (tmp_path / "a.png").write_bytes(b"pixels")
    (picture,) = embedded({"a": (tmp_path / "a.png", "a caption")})
    assert (picture.name, picture.caption) == ("a", "a caption")
    assert base64.b64decode(picture.png) == b"pixels"
    assert f'src="data:image/png;base64,{picture.png}"' in render(
        "base.html", **(EMPTY | {"pictures": [picture]})
    )
