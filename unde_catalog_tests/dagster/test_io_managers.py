import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from unde_catalog.definitions import build_definitions
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.settings.environment import load_settings
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.dagster.runs import failure, failure_metadata, metadata
from unde_catalog_tests.support.s3_servers import running_moto, s3_environment
from unde_catalog_tests.support.servers import PROJECT, Sandbox

FEW = {"limit": 5}  # of the brand's 20 products


class Forgets(dg.IOManager):
    """An IO manager that ignores its input."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        pass

    def load_input(self, context: dg.InputContext) -> None:
        pass


def stored_photos(db: Database) -> set[tuple[object, ...]]:
    with db.transaction() as cursor:
        cursor.execute(
            "SELECT p.external_id, f.n, f.key, f.sha256, f.width, f.height, f.bytes, f.source_url"
            " FROM product_photos f JOIN raw_products p ON p.id = f.product_id WHERE f.state = 'stored'"
        )
        return {tuple(row.values()) for row in cursor.fetchall()}


def test_no_request_is_sent_before_the_io_manager_reads_the_stream(materialize, sandbox: Sandbox, db: Database) -> None:
    assert materialize("raw_products", resources={"postgres_io_manager": Forgets()}).success
    assert sandbox.log() == []
    with db.transaction() as cursor:
        cursor.execute("SELECT 1 FROM scraper_logs UNION ALL SELECT 1 FROM scrapes")
        assert cursor.fetchall() == []


def test_downstream_assets_load_columns_and_manifests_as_dataframes(materialize, db: Database) -> None:
    got: dict[str, pd.DataFrame] = {}

    @dg.asset(
        partitions_def=BRAND_PARTITIONS,
        ins={"raw_products": dg.AssetIn(metadata={"columns": ["external_id", "price", "original_image_urls"]})},
    )
    def report(raw_products: pd.DataFrame, originals: pd.DataFrame) -> None:
        got.update(products=raw_products, photos=originals)

    assert materialize("raw_products", config=FEW).success
    assert materialize("originals", "report", also=[report]).success
    assert list(got["products"]) == ["external_id", "price", "original_image_urls"]
    assert len(got["products"]) == 5
    assert {type(price) for price in got["products"]["price"]} <= {Decimal, type(None)}
    assert any(price is not None for price in got["products"]["price"])
    assert {type(urls) for urls in got["products"]["original_image_urls"]} == {list}
    assert set(got["photos"].itertuples(index=False, name=None)) == stored_photos(db)


@pytest.mark.slow
def test_an_unpartitioned_asset_loads_all_brands(materialize) -> None:
    got: dict[str, pd.DataFrame] = {}

    @dg.asset
    def report(raw_products: pd.DataFrame, originals: pd.DataFrame, collages: pd.DataFrame) -> None:
        got.update(products=raw_products, photos=originals, collages=collages)

    for brand in ("zara", "oysho"):
        assert materialize("raw_products", "originals", brand=brand, config={"limit": 4}).success
    assert materialize("report", brand=None, also=[report]).success
    assert got["products"].groupby("brand").size().to_dict() == {"oysho": 4, "zara": 4}
    assert got["photos"]["key"].str.split("/").str[1].unique().tolist() == ["zara", "oysho"]
    assert got["collages"].empty  # no collage exists, and the columns are typed
    assert got["photos"].dtypes.to_dict() == got["collages"].dtypes.to_dict()


@pytest.mark.slow
def test_inactive_products_are_loaded_only_on_request(materialize, db: Database) -> None:
    got: list[pd.DataFrame] = []

    def reader(name: str, **chosen: object) -> dg.AssetsDefinition:
        @dg.asset(name=name, partitions_def=BRAND_PARTITIONS, ins={"raw_products": dg.AssetIn(metadata=chosen)})
        def read(raw_products: pd.DataFrame) -> None:
            got.append(raw_products)

        return read

    assert materialize("raw_products").success
    with db.transaction() as cursor:
        cursor.execute("UPDATE raw_products SET active = false WHERE id IN (SELECT id FROM raw_products LIMIT 3)")
    assert materialize("usual", also=[reader("usual")]).success
    assert materialize("whole", also=[reader("whole", inactive=True)]).success
    assert [len(frame) for frame in got] == [17, 20]
    assert "raw_data" not in got[0] and {"name", "price", "sizes", "image_status"} <= set(got[0])
    refused = materialize("wrong", also=[reader("wrong", columns=["prize"])])
    assert "raw_products has no column prize: `columns` is a list of id, source, external_id" in failure(refused)


def test_products_are_loaded_in_pages_and_an_empty_brand_is_typed(materialize, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[pd.DataFrame] = []

    @dg.asset(partitions_def=BRAND_PARTITIONS)
    def report(raw_products: pd.DataFrame) -> None:
        got.append(raw_products)

    monkeypatch.setattr("unde_catalog.stores.staging.products.product_rows.PAGE", 3)
    assert materialize("raw_products", "report", also=[report]).success
    assert materialize("report", brand="oysho", also=[report]).success
    full, empty = got
    assert (full["external_id"].nunique(), len(full), len(empty)) == (20, 20, 0)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert str(empty["scraped_at"].dtype) == "datetime64[us, UTC]"


def test_a_merge_that_stops_fails_the_step_with_its_numbers(materialize, db: Database) -> None:
    with db.transaction() as cursor:  # inserting products fails
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'not today'; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON raw_products FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    result = materialize("raw_products")
    assert not result.success
    message = failure(result)
    assert "raw_products of zara stopped: the staging database" in message and "not today" in message
    assert "Error occurred while handling output" not in message
    assert failure_metadata(result)["items"] == 20
    with db.transaction() as cursor:
        cursor.execute("SELECT status, records_fetched, error_message FROM scraper_logs")
        (row,) = cursor.fetchall()
    assert (row["status"], row["records_fetched"]) == ("error", 20)
    assert "not today" in row["error_message"]


@pytest.mark.slow
def test_each_run_has_its_own_manifest_and_all_is_loaded(materialize, tmp_path: Path) -> None:
    got: list[pd.DataFrame] = []

    @dg.asset(partitions_def=BRAND_PARTITIONS)
    def report(originals: pd.DataFrame) -> None:
        got.append(originals)

    assert materialize("raw_products", config=FEW).success
    runs = [materialize("originals", "report", also=[report]) for _ in range(2)]
    runs.append(
        materialize("originals", **{"dagster/root_run_id": runs[0].run_id, "dagster/parent_run_id": runs[0].run_id})
    )
    shown = [metadata(run, "originals") for run in runs]
    keys = [str(one["manifest_key"]) for one in shown]
    assert len(set(keys)) == 3 and sorted(keys) == keys
    for run, key, one in zip(runs, keys, shown, strict=True):
        assert re.fullmatch(
            rf"manifests/originals/zara/\d{{4}}-\d\d/\d{{8}}T\d{{6}}\.\d{{6}}Z-{run.run_id}\.parquet", key
        )
        assert Path(str(one["manifest"])) == tmp_path / "home" / "objects" / key
        assert Path(str(one["manifest"])).is_file()
    assert [one.get("manifest_rows", 0) for one in shown] == [len(got[0]), 0, 0]
    assert len(got[0]) > 5 and got[1].equals(got[0])  # all that is stored, not what the last run stored


def test_a_stage_that_stops_still_writes_its_manifest(
    materialize, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # one collage at a time
    assert materialize("raw_products", config=FEW).success
    assert materialize("originals").success
    with db.transaction() as cursor:
        cursor.execute("SELECT external_id FROM raw_products ORDER BY id DESC LIMIT 1")
        last = cursor.fetchall()[0]["external_id"]
    objects = tmp_path / "home" / "objects"
    (objects / "collages" / "zara" / f"{last}.jpg").mkdir(parents=True)  # a collage cannot replace it
    result = materialize("collages")
    assert not result.success
    assert "collages of zara stopped: writing" in failure(result)
    shown = failure_metadata(result)
    with db.transaction() as cursor:
        cursor.execute("SELECT key FROM product_collages")
        made = {row["key"] for row in cursor.fetchall()}
    assert len(made) == 4
    manifest = pd.read_parquet(str(shown["manifest"]))
    assert set(manifest["key"]) == made and shown["manifest_rows"] == len(made)
    assert str(shown["contact_sheet"]).startswith(f"![{len(made)} new: ")
    assert [event for event in result.all_events if event.is_step_materialization] == []


@pytest.mark.slow
def test_a_manifest_that_cannot_be_written_fails_with_one_sentence(materialize, tmp_path: Path) -> None:
    assert materialize("raw_products", config=FEW).success
    objects = tmp_path / "home" / "objects"
    objects.mkdir(parents=True)
    (objects / "manifests").write_text("in the way")
    result = materialize("originals")
    message = failure(result)
    assert "originals zara: 5 done" in message and "the manifest could not be stored: writing" in message
    assert "there is a file where a folder must be: move it away" in message
    assert failure_metadata(result)["done"] == 5


def test_an_unavailable_store_is_reported_once(materialize, tmp_path: Path) -> None:
    assert materialize("raw_products", config=FEW).success
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "objects").write_text("in the way")
    result = materialize("originals")
    assert not result.success
    message = failure(result).partition("Stack Trace")[0]
    assert "originals of zara stopped: opening" in message and message.count("there is a file where") == 1, message
    assert "manifest" not in message


@pytest.mark.slow
def test_in_a_bucket_the_manifest_is_linked_by_its_public_url(materialize, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[pd.DataFrame] = []

    @dg.asset(partitions_def=BRAND_PARTITIONS)
    def report(originals: pd.DataFrame) -> None:
        got.append(originals)

    with running_moto() as moto:
        for name, value in s3_environment(moto.url).items():
            monkeypatch.setenv(name, value)
        assert materialize("raw_products", config={"limit": 2}).success
        shown = metadata(materialize("originals", "report", also=[report]), "originals")
    assert shown["manifest"] == f"{moto.url}/unde-images/{shown['manifest_key']}"
    assert shown["objects"] == f"{moto.url}/unde-images/originals/zara"
    assert len(got[0]) == shown["manifest_rows"] == shown["photos_stored"] > 1
    assert str(shown["contact_sheet"]).startswith("![")


@pytest.mark.slow
def test_a_run_with_nothing_due_shows_what_is_stored_in_all(materialize) -> None:
    assert materialize("raw_products", config=FEW).success
    stages = ("originals", "collages")
    busy, idle = materialize(*stages), materialize(*stages)
    for asset, content in (
        ("originals", r"\d+ photos of 5 products, \d+\.\d MB"),
        ("collages", r"5 collages, \d\.\d MB"),
    ):
        first, later = metadata(busy, asset), metadata(idle, asset)
        assert [next(iter(first)), next(iter(later))] == ["summary", "summary"]
        assert str(first["summary"]).startswith("5 done, ")
        assert (later["summary"], later["content"]) == ("nothing was due", first["content"])
        assert re.fullmatch(content, str(later["content"]))
        assert str(later["contact_sheet"]).startswith("![") and " stored: " in str(later["contact_sheet"])
        assert 0 not in [*first.values(), *later.values()]


@pytest.mark.slow
def test_the_preview_of_new_photos_is_stored_once(materialize) -> None:
    assert materialize("raw_products", config=FEW).success
    result = materialize("originals", "collages")
    for asset in ("originals", "collages"):
        sheet = str(metadata(result, asset)["contact_sheet"])
        assert sheet.startswith("![") and "](data:image/jpeg;base64," in sheet and len(sheet) < 50_000
    holding = [event for event in result.all_events if "contact_sheet" in repr(event.event_specific_data)]
    assert {event.event_type_value for event in holding} == {"ASSET_MATERIALIZATION"}


def documented_code() -> tuple[str, str]:
    """The code blocks of the documentation: of a notebook, and an asset of one's own."""
    text = (PROJECT / "docs/ui.md").read_text()
    notebook, asset = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return notebook, asset


@pytest.mark.slow
def test_every_asset_can_be_loaded_and_has_all_that_is_stored(materialize) -> None:
    assert materialize("raw_products").success and materialize("raw_stores").success
    assert materialize("originals", "collages", config=FEW).success
    assert materialize("originals", config={"limit": 2}).success  # its manifest has only these
    definitions = build_definitions(load_settings())
    keys = definitions.resolve_asset_graph().executable_asset_keys - {dg.AssetKey("production_catalog")}
    loaded: dict[str, Any] = {key.to_user_string(): definitions.load_asset_value(key) for key in keys}
    with pytest.raises(dg.Failure, match="nothing is published: set PRODUCTION_DB_URL"):
        definitions.load_asset_value("production_catalog")
    rows = {name: len(value) for name, value in loaded.items() if name != "catalog_report"}
    assert (rows["collages"], rows["raw_stores"] > 0, loaded["originals"]["external_id"].nunique()) == (5, True, 7)
    assert set(STAGES) - {"production_catalog"} <= set(rows) and "As of " in loaded["catalog_report"]
    day: Any = definitions.load_asset_value("availability", partition_key=f"zara|{datetime.now(UTC):%Y-%m-%d}")
    columns = ["brand", "store_id", "product_id", "sizes_in_stock", "fetched_at"]
    assert list(day) == list(loaded["availability"]) == columns


@pytest.mark.slow
def test_the_documented_asset_of_ones_own_works(
    materialize, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert materialize("raw_products", config=FEW).success
    monkeypatch.setattr("unde_catalog.definitions.defs", build_definitions(load_settings()))  # of this test's database
    module: dict[str, Any] = {"__name__": "my_assets"}
    exec(documented_code()[1], module)  # noqa: S102
    job = module["defs"].resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey("products_by_category")], partition_key="zara", instance=instance
    )
    assert result.success
    value = module["defs"].load_asset_value("products_by_category", partition_key="zara", instance=instance)
    assert value["products"].sum() == 5


@pytest.mark.slow
@pytest.mark.parametrize("dagster_home", [True, False])
def test_the_documented_code_loads_products(
    materialize, configured: Callable[..., dict[str, str]], sandbox: Sandbox, tmp_path: Path, dagster_home: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert materialize("raw_products", "originals", config={"limit": 3}).success
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    if dagster_home:
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
        (tmp_path / "dagster").mkdir()
    lines = documented_code()[0]
    assert len(lines.splitlines()) <= 5
    look = "\nprint(len(products), list(prices), len(photos), photos['n'].max())"
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", lines + look],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"3 \['external_id', 'price'\] \d+ [1-5]", done.stdout.splitlines()[-1]), done.stdout
