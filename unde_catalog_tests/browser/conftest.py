"""Dagster's UI for a file of tests, and a page of a real browser for each test; a failure saves a screenshot."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from unde_catalog_tests.browser.dagster_ui import DagsterUI, open_dagster_ui
from unde_catalog_tests.browser.search_site import SearchSite, open_search_site
from unde_catalog_tests.support.servers import Server, missing
from unde_catalog_tests.support.toy_clip import write_toy_clip

_CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]
_TIMEOUT = 60_000.0  # milliseconds; a page takes one second on an idle machine

_phase_reports = pytest.StashKey[dict[str, pytest.TestReport]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[misc]
    item.stash.setdefault(_phase_reports, {})[report.when] = report
    return report  # type: ignore[return-value]


# Not longer than a file: while Playwright is open, its event loop runs and no other can run in this process.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not _CHROMIUM.exists():
        missing("there is no browser: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def ui(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUI]:
    with open_dagster_ui(tmp_path_factory.mktemp("ui")) as opened:
        yield opened


@pytest.fixture
def page(ui: DagsterUI, browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    with _tab(browser, ui.url, tmp_path, request, viewport={"width": 1500, "height": 1000}) as opened:
        opened.goto("/")
        yield opened


@pytest.fixture(scope="session")
def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchSite]:
    """A search site for photos only."""
    with open_search_site(server, tmp_path_factory.mktemp("site"), EMBEDDING_MODEL="descriptor") as opened:
        yield opened


@pytest.fixture(scope="session")
def clip_site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchSite]:
    """A search site with text search: its model knows only red, green and blue."""
    home = tmp_path_factory.mktemp("clip_site")
    clip = {"EMBEDDING_MODEL": "clip", "CLIP_MODEL_DIR": str(write_toy_clip(home / "clip")), "HF_HUB_OFFLINE": "1"}
    with open_search_site(server, home, few=True, **clip) as opened:
        yield opened


@pytest.fixture
def tab(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a page of a search site in a new window. Keyword arguments configure the window."""
    with ExitStack() as stack:

        def open_tab(site: SearchSite, path: str = "/", **window: Any) -> Page:
            opened = stack.enter_context(_tab(browser, site.url, tmp_path, request, **window))
            opened.goto(path)
            return opened

        yield open_tab


@contextmanager
def _tab(
    browser: Browser, base_url: str, tmp_path: Path, request: pytest.FixtureRequest, **window: Any
) -> Iterator[Page]:
    expect.set_options(timeout=_TIMEOUT)
    context = browser.new_context(base_url=base_url, **window)
    context.set_default_timeout(_TIMEOUT)
    opened = context.new_page()
    yield opened
    if request.node.stash[_phase_reports]["call"].failed:
        screenshot = tmp_path / "page.png"
        opened.screenshot(path=screenshot)
        request.node.user_properties.append(("screenshot", str(screenshot)))  # text, or pytest-xdist cannot send it
        print(f"screenshot of the failed test: {screenshot}")
    context.close()
