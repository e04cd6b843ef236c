"""Daily maintenance of the hot tables: dead rows, bloated and broken indexes are measured and repaired."""

import psycopg
import pytest

from unde_catalog.operations.upkeep.tables import HOT_TABLES, MaintenanceLimits, maintain
from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.db.postgres_tools import ToolFailed
from unde_catalog.stores.db.postgres_tools import direct as past_poolers
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server

SMALL = MaintenanceLimits(dead_rows=50, index_bytes=1 << 20)  # as if the tables of a test were big


def fill(db: Database, rows: int) -> None:
    execute(
        db,
        "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
        " SELECT 'zara', n %% 6, n, '[]', now() FROM generate_series(1, %s) n",
        rows,
    )


def test_tables_in_good_state_are_only_analyzed(db: Database, direct: str) -> None:
    fill(db, 2_000)
    report = maintain(direct)
    assert [(one.name, one.action) for one in report.tables] == [(name, "analyzed") for name in HOT_TABLES]
    assert (report.indexes, report.failures) == ([], [])
    (row,) = execute(db, "SELECT reltuples FROM pg_class WHERE relname = 'raw_availability'")
    assert row["reltuples"] == 2_000


def test_dead_rows_are_removed_and_bloated_indexes_rebuilt(db: Database, direct: str) -> None:
    fill(db, 40_000)
    execute(db, "DELETE FROM raw_availability WHERE id % 20 <> 0")
    report = maintain(direct, SMALL)
    table = next(one for one in report.tables if one.name == "raw_availability")
    assert (table.state, table.action) == ("38,000 of 40,000 rows dead", "vacuumed")
    repaired = {one.name: one for one in report.indexes}
    assert {"idx_raw_availability_unique_daily", "idx_raw_availability_product"} <= repaired.keys()
    assert all(one.action == "rebuilt" and one.bytes_after < one.bytes_before / 4 for one in repaired.values())
    assert maintain(direct, SMALL).indexes == []


def test_the_needed_size_of_an_index_is_estimated(db: Database, server: Server, database_url: str) -> None:
    fill(db, 20_000)
    with psycopg.connect(server.direct_url(database_url), autocommit=True) as connection:
        connection.execute("REINDEX TABLE raw_availability")
        connection.execute("ANALYZE raw_availability")
    with past_poolers(server.direct_url(database_url)) as database:
        connection = database.connection
        found = {one.name: one for one in bloat.indexes(connection, ["raw_availability"])}
    for name in ("raw_availability_pkey", "idx_raw_availability_unique_daily", "idx_raw_availability_lookup"):
        index = found[name]
        assert index.needed is not None and 0.7 < index.bytes / index.needed < 1.3


def test_an_invalid_index_is_rebuilt_and_leftovers_are_dropped(db: Database, server: Server, database_url: str) -> None:
    fill(db, 10)
    administrator = server.direct_url(database_url)
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("CREATE INDEX idx_raw_availability_lookup_ccnew ON raw_availability (brand)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('idx_raw_availability_lookup'::regclass,"
            " 'idx_raw_availability_lookup_ccnew'::regclass)"
        )
    report = maintain(administrator)
    assert {one.name: (one.state, one.action) for one in report.indexes} == {
        "idx_raw_availability_lookup": ("invalid", "rebuilt"),
        "idx_raw_availability_lookup_ccnew": ("left over from an interrupted REINDEX", "dropped"),
    }
    rows = execute(db, "SELECT 1 FROM pg_index WHERE NOT indisvalid")
    assert rows == []


def test_an_index_that_cannot_be_rebuilt_is_reported(db: Database, server: Server, database_url: str) -> None:
    fill(db, 10)
    administrator = server.direct_url(database_url)
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute("CREATE INDEX idx_twice ON raw_availability (brand)")
        connection.execute(
            "UPDATE pg_index SET indisunique = true, indisvalid = false WHERE indexrelid = 'idx_twice'::regclass"
        )
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_raw_availability_lookup'::regclass"
        )
    report = maintain(administrator)
    assert [one.name for one in report.indexes] == ["idx_raw_availability_lookup"]
    (failure,) = report.failures
    assert failure.startswith("idx_twice of raw_availability could not be rebuilt: could not create unique index")


def test_a_role_that_owns_no_tables_fails_with_advice(server: Server, database_url: str) -> None:
    as_scraper = url_as(server, server.past_poolers(database_url), "scraper")
    with pytest.raises(ToolFailed, match="scraper may not maintain raw_products, .*set BACKUP_DB_URL to connect as"):
        maintain(as_scraper)


def test_a_pooler_is_detected(server: Server, database_url: str) -> None:
    if server.pgbouncer is None:
        pytest.skip("PgBouncer is not installed")
    with pytest.raises(ValueError, match="is a pooler, and this needs its own session: set BACKUP_DB_URL"):
        maintain(database_url)
    with pytest.raises(DatabaseUnavailable):
        maintain("postgresql://undeuser@127.0.0.1:1/away")
