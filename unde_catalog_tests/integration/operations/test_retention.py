"""Retention: what is deleted after its time, and what is kept however old it is."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.operations.upkeep import retention
from unde_catalog.settings.environment import Settings, load_settings
from unde_catalog.stages.photos.manifest import ManifestWriter, manifest_key, newest_key
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.staging.admin import old_rows
from unde_catalog_tests.support.due import execute

NOW = datetime(2026, 6, 15, 3, 30, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    monkeypatch.chdir(tmp_path)

    def load(**environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_old_rows_are_deleted_in_chunks(
    db: Database, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_rows, "CHUNK", 7)
    execute(
        db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " SELECT 'zara', 1, n / 40, '[]', now() - (n %% 40 || ' days')::interval FROM generate_series(0, %s) n",
        79,
    )
    execute(
        db,
        "INSERT INTO scraper_logs (scraper_name, status, started_at)"
        " SELECT 'originals_zara', 'success', now() - (n || ' days')::interval FROM generate_series(0, 99) n",
    )
    execute(
        db,
        "INSERT INTO webhook_deliveries (digest, brand, received_at)"
        " SELECT n, 'zara', now() - (n || ' days')::interval FROM generate_series(0, 99) n",
    )
    execute(
        db,
        "INSERT INTO user_media_requests (stream, sequence, sent_at, photos, state, tries, taken_at, day)"
        " SELECT 's', n, now(), 1, 'answered', 1, now(), current_date - n FROM generate_series(0, 99) n"
        " UNION ALL SELECT 's', 100 + n, now(), 1, 'in_hand', 1, now() - n * interval '50 days', NULL"
        " FROM generate_series(0, 2) n",
    )
    deleted = retention.delete_old_rows(db, settings(AVAILABILITY_KEEP_DAYS="9"))
    assert deleted == {
        "raw_availability": 2 * 31, "scraper_logs": 10, "rejected_items": 0, "scrapes": 0, "webhook_deliveries": 10,
        "user_media_requests": 9 + 1,
    }  # fmt: skip
    (row,) = execute(
        db, "SELECT count(*) AS n, min(fetched_at) > now() - interval '9 days' AS young FROM raw_availability"
    )
    assert row == {"n": 18, "young": True}
    assert sum(retention.delete_old_rows(db, settings()).values()) == 0


def test_the_newest_scrapes_of_a_brand_are_kept(db: Database, settings: Callable[..., Settings]) -> None:
    scrapes = [
        ("zara", "complete", 300), ("zara", "complete", 200), ("zara", "partial", 150), ("zara", "failed", 120),
        ("oysho", "complete", 200), ("oysho", "complete", 5), ("bershka", "running", 200),
    ]  # fmt: skip
    for brand, state, days in scrapes:
        execute(
            db,
            "WITH s AS (INSERT INTO scrapes (brand, state, started_at, finished_at) VALUES (%s, %s,"
            " now() - %s * interval '1 day', CASE %s WHEN 'running' THEN NULL ELSE now() - %s * interval '1 day' END)"
            " RETURNING id, brand)"
            " INSERT INTO rejected_items (scrape_id, brand, position, reason) SELECT id, brand, n, 'unreadable'"
            " FROM s, generate_series(1, 3) n",
            brand, state, days, state, days,
        )  # fmt: skip
    deleted = retention.delete_old_rows(db, settings())
    assert (deleted["rejected_items"], deleted["scrapes"]) == (6, 2)
    left = execute(db, "SELECT s.brand, s.state, count(*) AS items FROM scrapes s JOIN rejected_items r"
                       " ON r.scrape_id = s.id GROUP BY s.id ORDER BY s.id")  # fmt: skip
    assert [(row["brand"], row["state"], row["items"]) for row in left] == [
        ("zara", "complete", 3), ("zara", "partial", 3), ("zara", "failed", 3), ("oysho", "complete", 3),
        ("bershka", "running", 3),
    ]  # fmt: skip


def test_old_manifests_are_deleted_except_the_newest_of_each_partition(
    tmp_path: Path, settings: Callable[..., Settings]
) -> None:
    store = directory_store(tmp_path / "objects")
    kept, gone = set(), set()
    for asset, brand, ages in (
        ("originals", "zara", [400, 200, 91, 89, 1]), ("collages", "zara", [300, 200]), ("originals", "oysho", [95]),
    ):  # fmt: skip
        for days in ages:
            key = manifest_key(asset, brand, "run", NOW - timedelta(days=days))
            store.put(key, b"rows", "application/vnd.apache.parquet")
            (kept if days < 90 or days == ages[-1] else gone).add(key)
    store.put("originals/zara/1/1.jpg", b"photo", "image/jpeg")
    assert retention.delete_old_manifests(store, settings(), NOW) == len(gone) == 4
    assert {one.key for one in store.list("manifests")} == kept
    assert store.exists("originals/zara/1/1.jpg")
    assert retention.delete_old_manifests(store, settings(), NOW) == 0


def test_the_newest_manifest_is_kept_however_old(tmp_path: Path, settings: Callable[..., Settings]) -> None:
    store = directory_store(tmp_path / "objects")
    with ManifestWriter() as manifest:
        key = manifest.store(store, "originals", "zara", "run")
    later = datetime.now(UTC) + timedelta(days=900)
    assert retention.delete_old_manifests(store, settings(), later) == 0
    assert newest_key(store, "originals", "zara") == key


def test_unfinished_files_are_removed_after_a_day(tmp_path: Path) -> None:
    store = directory_store(tmp_path / "objects")
    unfinished = tmp_path / "objects" / ".unfinished"
    for name, hours in (("old#0", 25), ("young#0", 1)):
        (unfinished / name).write_bytes(b"half a photo")
        then = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(unfinished / name, (then, then))
    assert retention.remove_unfinished_files(store, NOW) == 1
    assert [one.name for one in unfinished.iterdir()] == ["young#0"]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("raw_availability", "fetched_at"),
        ("scraper_logs", "started_at"),
        ("webhook_deliveries", "received_at"),
        ("user_media_requests", "day"),
    ],
)
def test_old_rows_are_found_by_an_index(db: Database, table: str, column: str) -> None:
    old = f"SELECT * FROM {table} WHERE {column} < unde_now() - interval '30 days' ORDER BY {column} LIMIT 9"
    with db.transaction() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {old}".encode())
        plan = "\n".join(str(row["QUERY PLAN"]) for row in cursor.fetchall())
    assert "Index Scan" in plan and "Sort" not in plan
