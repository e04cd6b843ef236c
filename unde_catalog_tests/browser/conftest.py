"""A desk for a file of tests, and for each test a page of a real browser on it; a failure leaves a picture of that."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from unde_catalog_tests.browser.desk import Desk, open_desk
from unde_catalog_tests.browser.search_site import SearchSite, open_search_site
from unde_catalog_tests.support.servers import Server, missing
from unde_catalog_tests.support.toy_clip import write_toy_clip

_CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]
_PATIENCE = 60_000.0  # milliseconds for a page that takes one second on an idle machine

_phase_reports = pytest.StashKey[dict[str, pytest.TestReport]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[misc]
    item.stash.setdefault(_phase_reports, {})[report.when] = report
    return report  # type: ignore[return-value]


# Not longer than its file: while Playwright is open its event loop runs, and nothing else in this process can run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not _CHROMIUM.exists():
        missing("there is no browser: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


@pytest.fixture
def page(desk: Desk, browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    with _tab(browser, desk.url, tmp_path, request, viewport={"width": 1500, "height": 1000}) as opened:
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
    expect.set_options(timeout=_PATIENCE)
    context = browser.new_context(base_url=base_url, **window)
    context.set_default_timeout(_PATIENCE)
    opened = context.new_page()
    yield opened
    if request.node.stash[_phase_reports]["call"].failed:
        picture = tmp_path / "page.png"
        opened.screenshot(path=picture)
        request.node.user_properties.append(("picture", picture))
        print(f"the page as it was: {picture}")
    context.close()
