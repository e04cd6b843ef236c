"""The documentation against the definitions: every job, schedule, sensor, check and asset is named on its page."""

import re

import dagster as dg
import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.automation.job_names import FORMER_NAMES
from unde_catalog.settings.environment import load_settings
from unde_catalog_tests.support.doc_pages import inline_code
from unde_catalog_tests.support.reference_pages import PROJECT


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings())


def names_in_table(section: str) -> set[str]:
    """The names in backticks in the first column of the tables of a section of `automation.md`."""
    text = (PROJECT / "docs/automation.md").read_text()
    part = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert part is not None
    cells = [line.split("|")[1] for line in part[1].splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_schedule_is_documented(definitions: dg.Definitions) -> None:
    names = {one.name for one in definitions.schedules or ()}
    brands = "|".join(BRANDS)
    assert {
        re.sub(rf"^collect_products_({brands})$", "collect_products_<brand>", name) for name in names
    } == names_in_table("Schedules")


def test_every_sensor_is_documented(definitions: dg.Definitions) -> None:
    assert {one.name for one in definitions.sensors or ()} == names_in_table("Sensors")


def test_every_job_is_documented(definitions: dg.Definitions) -> None:
    assert {one.name for one in definitions.jobs or ()} == names_in_table("Jobs")


def test_every_check_is_documented(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert {key.name for key in graph.asset_check_keys} == names_in_table("Checks")


def test_the_readme_names_every_asset_of_a_stage(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assets = {key.to_user_string() for key in graph.executable_asset_keys} - {"catalog_report", "user_media_days"}
    assert assets <= set(inline_code(PROJECT / "README.md"))


def test_the_changelog_names_every_former_name() -> None:
    names = {name.rpartition(":")[2] for new, former in FORMER_NAMES.items() for name in (new, *former)}
    assert names <= set(inline_code(PROJECT / "CHANGELOG.md"))
