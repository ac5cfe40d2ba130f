"""A headless browser for the tests of pages."""

import shutil

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="needs chromium, chromium-browser or google-chrome"
)
