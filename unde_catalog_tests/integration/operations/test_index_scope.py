"""Changing where products are indexed: the cost is said first, and only what is missing is sent."""

from typing import Any

import pytest
from typer.testing import CliRunner

from unde_catalog.cli.app import app
from unde_catalog.operations.upkeep import index_scope
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index.scopes import ChangeEffect, IndexChange, ProductGroup
from unde_catalog_tests.support.due import add_products, execute

ZARA = ProductGroup("zara")


@pytest.fixture
def stored(db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[int]:
    """Three products of zara with three stored photos each; one record of the first is in Ximilar."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))
    ids = add_products(db, 3, category="shirts", index_scope="off", image_status="uploaded")
    execute(
        db,
        "INSERT INTO product_photos (product_id, n, source_url, state, key, sha256, width, height, bytes, fetched_at)"
        " SELECT p.id, n, 'u', 'stored', 'k' || n, 's' || n, 1, 1, 1, now()"
        " FROM raw_products p, generate_series(1, 3) AS n",
    )
    execute(db, "INSERT INTO ximilar_records VALUES ('c', 'r', %s, 1, 's1', 'u', '{}', 'there', now(), now())", ids[0])
    execute(db, "UPDATE due_work SET due_at = NULL")
    return ids


def due(db: Database) -> set[tuple[int, str]]:
    rows = execute(db, "SELECT product_id, stage FROM due_work WHERE due_at IS NOT NULL")
    return {(row["product_id"], row["stage"]) for row in rows}


def test_the_effect_counts_credits_and_removals(db: Database, stored: list[int]) -> None:
    pilot = index_scope.effect_of(db, ZARA, IndexChange(scope="pilot"))
    assert pilot == ChangeEffect(products=3, changed=3, inserts=5, removals=0)  # two each, one is there
    assert "5 photos are sent to Ximilar, 5 credits" in index_scope.sentence(ZARA, pilot)
    index_scope.apply(db, ZARA, IndexChange(scope="pilot"), lambda count: None)
    assert index_scope.effect_of(db, ZARA, IndexChange(target_count=3)).inserts == 8
    assert index_scope.effect_of(db, ZARA, IndexChange(target_count=0)).removals == 1
    assert index_scope.effect_of(db, ZARA, IndexChange(scope="off")).removals == 1
    same = index_scope.effect_of(db, ZARA, IndexChange(scope="pilot", target_count=2))
    assert same.changed == 0 and "nothing changes" in index_scope.sentence(ZARA, same)


def test_a_change_makes_products_due_in_small_transactions(
    db: Database, stored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unde_catalog.stores.staging.index.scopes.CHUNK", 2)
    execute(db, "UPDATE raw_products SET category = 'trousers' WHERE id = %s", stored[2])
    execute(db, "UPDATE due_work SET due_at = NULL")
    steps: list[int] = []
    group = ProductGroup("zara", "shirts")
    assert index_scope.apply(db, group, IndexChange(scope="pgvector"), steps.append) == 2
    assert steps == [2]
    assert due(db) == {(stored[0], "visual_index"), (stored[1], "visual_index")}
    assert index_scope.apply(db, group, IndexChange(scope="pgvector"), steps.append) == 0


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        (ProductGroup("zarra"), IndexChange(scope="off"), "zarra"),
        (ZARA, IndexChange(target_count=9), "9 photos: expected 0 to 5"),
        (ProductGroup("zara", "hats"), IndexChange(scope="off"), "zara, category hats has no products"),
        (ZARA, IndexChange(scope="everywhere"), "unknown scope 'everywhere'"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_name_changes_nothing(
    db: Database, stored: list[int], group: ProductGroup, change: IndexChange, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        index_scope.effect_of(db, group, change)


def test_the_commands_ask_before_anything_changes(db: Database, stored: list[int]) -> None:
    runner = CliRunner()
    refused = runner.invoke(app, ["scope", "zara", "pilot"], input="n\n")
    assert refused.exit_code == 1 and "5 credits" in refused.output
    assert execute(db, "SELECT 1 FROM raw_products WHERE index_scope <> 'off'") == []
    assert "3 products changed" in runner.invoke(app, ["scope", "zara", "pilot"], input="y\n").output
    assert "3 products changed" in runner.invoke(app, ["target-count", "zara", "3", "--yes"]).output
    rows = execute(db, "SELECT DISTINCT index_scope, ximilar_target_count FROM raw_products")
    assert [tuple(row.values()) for row in rows] == [("pilot", 3)]
