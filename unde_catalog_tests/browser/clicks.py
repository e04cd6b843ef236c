"""Click paths in Dagster's UI, by the visible texts.

What a test expects afterwards is in the test.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import yaml
from playwright.sync_api import Locator, Page, expect

Partitions = Literal["All", "Failed", "Missing", "Failed and missing"]


def materialize(
    page: Page, asset: str, brands: Sequence[str] | Partitions, config: dict[str, Any] | None = None
) -> str:
    """Catalog, the asset, Materialize, brands, Config, Launch, View. Returns the id of the run or backfill."""
    asset_page(page, asset)
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
    if isinstance(brands, str):
        dialog.get_by_role("button", name=brands, exact=True).click()
    else:
        dialog.get_by_text("Select a partition or create one").click()
        for brand in brands:
            page.get_by_role("menuitem", name=brand).click()
        page.get_by_placeholder("Filter partitions").press("Escape")
    if config is not None:
        dialog.get_by_text("Config", exact=True).click()
        dialog.get_by_role("button", name="Add config").click()
        editor = page.get_by_role("dialog").filter(has_text="Config Editor")
        write(editor, {"ops": {asset: {"config": config}}})
        editor.get_by_role("button", name="Save config").click()
        expect(editor).to_be_hidden()
    dialog.get_by_role("button", name="Launch").click()
    return _view(page)


def launch_job(page: Page, job: str, op: str, config: dict[str, Any]) -> str:
    """Jobs, the job, Launchpad, its configuration, Launch Run. Returns the id of the run."""
    link(page, "Jobs").click()
    link(page, job).click()
    page.get_by_role("tab", name="Launchpad").click()
    write(page.locator("body"), {"ops": {op: {"config": config}}})
    page.get_by_role("button", name="Launch Run").click()
    return _id_in_address(page)


def reexecute(page: Page) -> str:
    """Re-execute all, on a run's page. Returns the id of the new run."""
    before = page.url
    page.get_by_role("button", name="Re-execute all").click()
    page.wait_for_url(lambda url: url != before)
    return _id_in_address(page)


def terminate(page: Page) -> None:
    """Terminate, on a run's page, and confirm."""
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name="Terminate 1 run").click()


def partition(page: Page, asset: str, brand: str) -> Locator:
    """Catalog, the asset, Partitions, the brand. Returns the metadata of its latest materialization."""
    asset_page(page, asset)
    page.get_by_role("tab", name="Partitions").click()
    page.get_by_text(brand, exact=True).first.click()
    return page.get_by_role("table").first


def requested_runs(page: Page, sensor: str) -> int:
    """Automation, the sensor, Preview tick result, Continue, Close. Returns how many runs it would request."""
    link(page, "Automation").click()
    link(page, sensor).click()
    page.get_by_role("button", name="Preview tick result").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Continue").click()
    title = dialog.get_by_text(re.compile(r"^Requested runs \(\d+\)$"))
    count = int(title.inner_text().partition("(")[2].rstrip(")"))
    dialog.get_by_role("button", name="Close").click()
    return count


def asset_page(page: Page, asset: str) -> None:
    """Catalog, the asset."""
    link(page, "Catalog").click()
    link(page, asset).click()


def link(page: Page, text: str) -> Locator:
    """The first link with this word; the name of an icon may precede it."""
    return page.get_by_role("link", name=re.compile(rf"\b{text}\b")).first


def write(inside: Locator, config: dict[str, Any]) -> None:
    """Replace the contents of the open editor with a configuration."""
    editor = inside.locator(".CodeMirror")
    editor.click()
    inside.page.keyboard.press("Control+a")
    inside.page.keyboard.insert_text(yaml.safe_dump(config))
    expect(inside.get_by_text("No errors")).to_be_visible()


def _view(page: Page) -> str:
    page.get_by_role("button", name="View", exact=True).or_(page.get_by_role("link", name="View", exact=True)).click()
    return _id_in_address(page)


def _id_in_address(page: Page) -> str:
    page.wait_for_url(re.compile("/runs/(b/)?[a-z0-9-]+$"))
    return page.url.rsplit("/", 1)[1]
