from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.asset_metadata import READ_ON, TABLES, freshness_policy
from unde_catalog.defs.table_schemas.table import LINEAGE, ROW_COUNT
from unde_catalog.operations.doctor.services import all_checks, select_checks
from unde_catalog.settings.environment import load_settings, load_user_media_settings
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import metadata
from unde_catalog_tests.support.doc_pages import anchors
from unde_catalog_tests.support.servers import PROJECT

_SHORT = {"character varying": "varchar", "timestamp with time zone": "timestamptz"}
_EXTERNAL = {
    "apify_task", "bakai_list", "brand_cdn", "shops_api", "object_store", "ximilar_collection", "production_database",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))
    yield


def specs() -> dict[str, dg.AssetSpec]:
    assets = build_definitions(load_settings()).resolve_asset_graph()
    return {key.to_user_string(): assets.get(key).to_asset_spec() for key in assets.get_all_asset_keys()}


def real_columns(db: Database, table: str) -> list[tuple[str, str, bool]]:
    with db.transaction() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (table,),
        )
        rows = cursor.fetchall()
    columns = []
    for row in rows:
        type = row["type"]
        for long, short in _SHORT.items():
            type = type.replace(long, short)
        columns.append((row["attname"], type, row["nullable"]))
    return columns


def test_table_schemas_match_the_migrated_databases(db: Database, production: Database) -> None:
    for asset, table in TABLES.items():
        there = real_columns(db if table.database == "staging" else production, table.name)
        schema = table.schema()
        shown = [(column.name, column.type, column.constraints.nullable) for column in schema.columns]
        assert sorted(shown) == sorted(there), f"{asset}: update defs/table_schemas/"
        assert all(column.description for column in schema.columns)


def test_column_lineage_names_existing_columns() -> None:
    known = {asset: {name for name, _, _ in table.columns} for asset, table in TABLES.items()}
    item: dg.TableSchema = specs()["apify_task"].metadata["dagster/column_schema"]
    known["apify_task"] = {column.name for column in item.columns}
    for asset, table in TABLES.items():
        for column, sources in table.made_from.items():
            assert column in known[asset], f"{asset}.{column}"
            for source in sources:
                name, _, its_column = source.partition(".")
                assert name != asset and its_column in known[name], f"{asset}.{column} from {source}"


def test_every_asset_has_a_group_kinds_an_owner_and_advice() -> None:
    for name, spec in specs().items():
        assert spec.group_name != "default", name
        assert 1 <= len(spec.kinds) <= 3, name
        assert list(spec.owners) == ["team:catalogue"], name
        assert spec.description, name
        if name in _EXTERNAL:
            assert "To check it" in " ".join(spec.description.split()), name
        else:
            assert "On failure" in spec.description, name
    for name in TABLES:
        assert specs()[name].code_version, name


def test_every_materialized_asset_has_a_freshness_policy() -> None:
    graph = build_definitions(load_settings()).resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        name, policy = key.to_user_string(), graph.get(key).freshness_policy
        if key not in graph.executable_asset_keys:
            assert policy is None, f"{name} is never materialized"
            continue
        assert policy is not None and policy == freshness_policy(name), name
        windows: Any = policy
        lateness = STAGE_SPECS[name].lateness if name in STAGE_SPECS else None
        if lateness is not None and not lateness.only_while_due:
            assert windows.warn_window.to_timedelta() == lateness.warn, name
            assert lateness.alert in (None, windows.fail_window.to_timedelta()), name
        assert windows.warn_window.to_timedelta() < windows.fail_window.to_timedelta(), name


def test_owners_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSET_OWNERS", "team:shopping, someone@example.com")
    assert list(specs()["originals"].owners) == ["team:shopping", "someone@example.com"]


def test_table_names_contain_the_database_and_no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert specs()["raw_products"].metadata["dagster/table_name"] == "staging.public.raw_products"
    secrets = {
        "STAGING_DB_URL": "postgresql://scraper:hunter2@db.example.com:6432/unde_staging",
        "PRODUCTION_DB_URL": "postgresql://undeuser:hunter2@db.example.com:6432/unde_main?sslmode=require",
        "PROXY_URL": "http://someone:hunter2@proxy.example.com:33335",
        "APIFY_TOKEN": "hunter2",
        "XIMILAR_API_TOKEN": "hunter2",
        "BAKAI_CDN_SECRET_KEY": "hunter2",
        "APIFY_API_URL": "https://user:hunter2@apify.example.com",
        "ZARA_STOCK_API_URL": "https://user:hunter2@shop.example.com/api",
        "OBJECT_BASE_URL": "https://user:hunter2@cdn.example.com/images",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    found = specs()
    assert found["raw_products"].metadata["dagster/table_name"] == "unde_staging.public.raw_products"
    assert found["production_catalog"].metadata["dagster/table_name"] == "unde_main.public.catalog_products"
    assert "hunter2" not in repr([(spec.metadata, spec.description) for spec in found.values()])
    assert "| ZARA_STOCK_API_URL | https://shop.example.com/api |" in found["shops_api"].metadata["settings"].value
    assert "| PROXY_URL | set |" in found["brand_cdn"].metadata["settings"].value
    assert "| BAKAI_CDN_SECRET_KEY | set |" in found["bakai_list"].metadata["settings"].value
    assert "BAKAI" not in found["shops_api"].metadata["settings"].value + found["apify_task"].metadata["settings"].value
    assert "| APIFY_TASK_OYSHO | not set |" in found["apify_task"].metadata["settings"].value


def test_lineage_is_complete_from_source_to_destination() -> None:
    graph = build_definitions(load_settings()).resolve_asset_graph()
    external = {key.to_user_string() for key in graph.get_all_asset_keys() - graph.executable_asset_keys}
    assert external == _EXTERNAL
    reached, now = set[str](), {dg.AssetKey("apify_task")}
    while now:
        reached |= {key.to_user_string() for key in now}
        now = {child for key in now for child in graph.get(key).child_keys} - {dg.AssetKey(one) for one in reached}
    assert reached >= {"raw_products", "collages", "ximilar_collection", "object_store", "production_database"}
    parents = {name: {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys} for name in external}
    assert parents == {
        "apify_task": set(), "bakai_list": set(), "brand_cdn": set(), "shops_api": set(),
        "object_store": {"originals", "collages"},
        "ximilar_collection": {"ximilar_index"},
        "production_database": {"production_catalog"},
    }  # fmt: skip


def test_pages_and_doctor_checks_in_descriptions_exist(tmp_path: Path) -> None:
    for asset, section in READ_ON.items():
        page, _, anchor = section.partition("#")
        assert not anchor or anchor in anchors(PROJECT / page), asset
    settings = load_settings()
    checks = all_checks(settings, load_user_media_settings(), Backends(settings))
    for name, spec in specs().items():
        words = (spec.description or "").replace("`", " ").split()
        for word, following in zip(words, words[1:], strict=False):
            if word == "--only":
                assert select_checks(checks, [following]), name


@pytest.mark.slow
def test_a_materialization_shows_row_counts_and_column_lineage(materialize, db: Database) -> None:
    products, stores = materialize("raw_products", "originals", config={"limit": 3}), materialize("raw_stores")
    assert products.success and stores.success

    def shown(asset: str) -> dict[str, Any]:
        return metadata(stores if asset == "raw_stores" else products, asset)

    assert shown("raw_products")[ROW_COUNT] == 3
    assert shown("raw_stores")[ROW_COUNT] == shown("raw_stores")["stores"] > 0
    assert shown("originals")[ROW_COUNT] == shown("originals")["photos_stored"]
    lineage = shown("originals")[LINEAGE].deps_by_column
    assert lineage["sha256"] == [dg.TableColumnDep(dg.AssetKey("raw_products"), "original_image_urls")]
    assert LINEAGE not in shown("raw_stores")
