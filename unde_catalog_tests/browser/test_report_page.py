"""The report's page in a real browser: it fits the window of a phone and requests nothing."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from unde_catalog.operations.report.page import page
from unde_catalog_tests.support.reports import HOSTILE, report

_WIDTHS = """[...document.querySelectorAll('body, body *')]
    .filter(one => !one.closest('.box') && one.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map(one => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window_and_requests_nothing(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    file = tmp_path / "catalog.html"
    file.write_text(page(report(("a name", *HOSTILE), products=1_234_567)), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})
    opened = context.new_page()
    requests: list[str] = []
    dialogs: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("dialog", lambda dialog: dialogs.append(dialog.message))
    opened.goto(file.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert opened.evaluate(_WIDTHS) == []
    assert (requests, dialogs) == ([file.as_uri()], [])
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    for box in opened.locator(".box").all():
        assert box.evaluate("one => one.scrollWidth <= one.clientWidth || getComputedStyle(one).overflowX === 'auto'")
    context.close()
