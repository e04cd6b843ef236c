import pytest
from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.products import export_rows
from unde_catalog.stores.staging.products.export_rows import ExportSelection
from unde_catalog_tests.support.due import add_products, execute

ALL = ExportSelection("zara", None, "uncategorized", 100)
FIRST = ExportSelection("zara", None, "uncategorized", 1)


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_page_uses_an_index_with_and_without_statistics(db: Database, analyzed: bool) -> None:
    add_products(db, 5_000)
    add_products(db, 5_000, "oysho")
    if analyzed:
        execute(db, "ANALYZE raw_products")
    with db.transaction() as cursor:
        export_rows.page(cursor, FIRST, 0)  # sets planner options for the whole transaction
        values = {**FIRST.values(), "after": 2_500, "page": 1_000}
        cursor.execute(f"EXPLAIN {export_rows.PAGE_QUERY}".encode(), values)
        plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
    assert "Index Scan" in plan
    assert "Sort" not in plan
    assert "Seq Scan on raw_products" not in plan


def test_pages_contain_every_active_product_of_the_brand_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_rows, "PAGE", 3)
    ids = add_products(db, 10)
    add_products(db, 2, "oysho")
    execute(db, "UPDATE raw_products SET active = false WHERE id = %s", ids[4])
    found, after = [], 0
    while rows := db.run(export_rows.page, ALL, after):
        assert len(rows) <= 3
        found += [row.id for row in rows]
        after = rows[-1].id
    assert found == [product for product in ids if product != ids[4]]
    assert db.run(export_rows.count, ALL) == 9


@pytest.mark.parametrize(
    ("original_urls", "stored_urls", "all_photos", "first"),
    [
        (["a", "b"], None, ["a", "b"], ["a"]),
        (["a"], ["stored"], ["a"], ["a"]),
        ([], ["stored", "too"], ["stored", "too"], ["stored"]),
        ([], None, [], []),
        ("a", None, ["a"], ["a"]),  # other systems may write other JSON
        ({"url": "a"}, None, [], []),
        (["a", None, 7, ""], None, ["a"], ["a"]),
        (None, ["stored"], ["stored"], ["stored"]),
    ],
)
def test_photos_are_the_original_urls_else_the_stored_ones(
    db: Database, original_urls: object, stored_urls: object, all_photos: list[object], first: list[object]
) -> None:
    add_products(db, 1)
    execute(
        db,
        "UPDATE raw_products SET original_image_urls = %s, image_urls = %s",
        Jsonb(original_urls),
        Jsonb(stored_urls),
    )
    assert list(db.run(export_rows.page, ALL, 0)[0].urls) == all_photos
    assert list(db.run(export_rows.page, FIRST, 0)[0].urls) == first
    assert db.run(export_rows.count, FIRST) == len(first)
