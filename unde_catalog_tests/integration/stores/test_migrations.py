"""Numbered migrations: on empty and filled databases, twice, and by several processes at once."""

import re
import subprocess
import sys

import psycopg
import pytest

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.deployed import RAW_PRODUCTS
from unde_catalog_tests.support.due import BRAND, STAGE, execute
from unde_catalog_tests.support.servers import PROJECT, Server

VERSIONS = STAGING.versions

# The table as other systems filled it before this project.
OLD_TABLE = f"""{RAW_PRODUCTS}
INSERT INTO raw_products (source, external_id, brand, price, scraped_at, image_status)
SELECT 'apify_zara', n, 'zara', nullif(n, 3), '2026-01-01+00',
       (ARRAY['pending', 'uploaded', 'collage_ready', 'error'])[n]
FROM generate_series(1, 4) AS n;
"""


@pytest.fixture(params=["empty", "filled"])
def url(request: pytest.FixtureRequest, each_server: Server):
    url = each_server.new_database(migrated=False)
    if request.param == "filled":
        with psycopg.connect(url) as connection:
            connection.execute(OLD_TABLE)
    yield url
    each_server.drop(url)


def everything(url: str) -> str:
    """The whole of a database as text: columns, indexes, functions, triggers, rows."""
    queries = [
        "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
        "SELECT proname, prosrc, prosecdef, proconfig, proacl FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace ORDER BY oid::regprocedure::text",
        "SELECT grantee, table_name, column_name, privilege_type FROM information_schema.column_privileges"
        " WHERE table_schema = 'public' ORDER BY 1, 2, 3, 4",
        "SELECT grantee, table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE table_schema = 'public' ORDER BY 1, 2, 3",
        "SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
        "SELECT * FROM raw_products ORDER BY id",
        "SELECT * FROM due_work ORDER BY product_id, stage",
        "SELECT * FROM price_history ORDER BY product_id",
    ]
    with psycopg.connect(url) as connection:
        return "\n".join(str(row) for query in queries for row in connection.execute(query.encode()))


def test_migrations_run_once_and_can_be_repeated(url: str) -> None:
    assert STAGING.upgrade(url)[-1] == STAGING.newest_revision()
    before = everything(url)
    assert STAGING.upgrade(url) == []
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM alembic_version")  # a backup put back, or a migration cut short by hand
    STAGING.upgrade(url)
    assert everything(url) == before
    with Database(url) as db:
        assert STAGING.revision(db) == STAGING.newest_revision()


def test_two_processes_that_migrate_at_once_both_succeed(url: str) -> None:
    code = "import sys; from unde_catalog.stores.staging.migrate import STAGING; print(STAGING.upgrade(sys.argv[1]))"
    command = [sys.executable, "-c", code, url]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) for _ in range(2)]
    outputs = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0].startswith("['0001', ")
    assert outputs[1] == "[]"


def test_existing_products_are_due_by_their_status(each_server: Server) -> None:
    url = each_server.new_database(migrated=False)
    with psycopg.connect(url) as connection:
        connection.execute(OLD_TABLE)
    STAGING.upgrade(url)
    with Database(url) as db:
        query = (
            "SELECT product_id, stage, due_at IS NOT NULL AS due, given_up FROM due_work"
            " WHERE stage = ANY(%s) ORDER BY stage, product_id"
        )
        stages = ["adoption", STAGE, "production_catalog"]
        assert [tuple(row.values()) for row in execute(db, query, stages)] == [
            (1, "adoption", True, False), (2, "adoption", True, False), (3, "adoption", True, False),
            (4, "adoption", True, False),
            (1, STAGE, True, False), (2, STAGE, False, False), (3, STAGE, False, False), (4, STAGE, True, False),
            (2, "production_catalog", True, False), (3, "production_catalog", True, False),
            (4, "production_catalog", True, False),
        ]  # fmt: skip
        prices = execute(db, "SELECT product_id, price FROM price_history ORDER BY product_id")
        assert [(row["product_id"], row["price"]) for row in prices] == [(1, 1), (2, 2), (4, 4)]
        execute(db, "UPDATE raw_products SET active = false")
        execute(db, "UPDATE raw_products SET active = true")
        assert len(execute(db, "SELECT 1 FROM due_work WHERE due_at IS NOT NULL AND stage = %s", STAGE)) == 2
        assert len(execute(db, "SELECT 1 FROM due_work WHERE due_at IS NOT NULL AND stage = 'adoption'")) == 4
        execute(db, "UPDATE due_work SET due_at = NULL WHERE stage = 'adoption'")
        assert len(db.run(work_queue.take, STAGE, BRAND, 10, work_queue.timedelta(minutes=1))) == 2
    each_server.drop(url)


def test_an_unmigrated_database_has_no_revision(server: Server) -> None:
    url = server.new_database(migrated=False)
    with Database(url) as db:
        assert STAGING.revision(db) is None
    server.drop(url)


def test_a_database_newer_than_the_program_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        DatabaseUnavailable, match="is at migration 9999, which this program does not know: it is older"
    ):
        STAGING.upgrade(database_url)


def test_a_foreign_search_path_is_reported_and_nothing_is_created_twice(database_url: str, server: Server) -> None:
    with psycopg.connect(server.past_poolers(database_url), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other")
    for path, seen in (("other", "other"), ("", "empty"), ("no_such_schema", "no_such_schema")):
        url = f"{server.past_poolers(database_url)}&options=-csearch_path%3D{path}"
        with pytest.raises(DatabaseUnavailable) as error:
            STAGING.upgrade(url)
        assert f"its tables are in the schema public, and the search_path of role undeuser is {seen}." in str(
            error.value
        )
        with Database(url) as db, pytest.raises(DatabaseUnavailable, match="ALTER ROLE undeuser SET search_path"):
            STAGING.require_newest(db)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_class WHERE relnamespace = 'other'::regnamespace").fetchall() == []


@pytest.mark.parametrize("revision", [None, "0001", "3a1f00c0ffee"])
def test_another_program_that_comes_first_is_no_reason_to_migrate(
    database_url: str, server: Server, revision: str | None
) -> None:
    with psycopg.connect(server.past_poolers(database_url), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other CREATE TABLE alembic_version (version_num text)")
        if revision is not None:
            connection.execute("INSERT INTO other.alembic_version VALUES (%s)", (revision,))
    url = f"{server.past_poolers(database_url)}&options=-csearch_path%3Dother,public"
    with Database(url) as db, pytest.raises(DatabaseUnavailable, match="its tables are in the schema public, and the "):
        STAGING.require_newest(db)
    with pytest.raises(DatabaseUnavailable, match="search_path of role undeuser is other,public"):
        STAGING.upgrade(url)


def test_a_search_path_left_in_a_pooled_session_does_not_hide_the_tables(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as other:
        other.execute("SET search_path = ''")
    with Database(database_url) as db:
        STAGING.require_newest(db)
    assert STAGING.upgrade(database_url) == []
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as other:
        other.execute("RESET search_path")


def test_a_database_of_dagster_is_not_migrated(server: Server) -> None:
    url = server.new_database(migrated=False)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('7e2f3204cf8e')")
    with pytest.raises(DatabaseUnavailable, match="belongs to another program: .* a database of its own"):
        STAGING.upgrade(url)
    server.drop(url)


def test_a_database_with_the_encoding_sql_ascii_is_reported(server: Server) -> None:
    url = server.new_database(migrated=False, encoding="SQL_ASCII")
    with pytest.raises(DatabaseUnavailable, match="the staging database .* its encoding is SQL_ASCII"):
        STAGING.upgrade(url)
    server.drop(url)


def test_an_unreachable_database_is_reported_in_one_sentence() -> None:
    with pytest.raises(DatabaseUnavailable, match="the staging database none at 127.0.0.1:9 can't be used: .*") as down:
        STAGING.upgrade("postgresql://nobody:secret@127.0.0.1:9/none")
    assert "secret" not in str(down.value)


# Syntax with the version that introduced it. The oldest supported server is PostgreSQL 12.
NEWER_THAN_12 = {
    r"\bMERGE INTO\b": 15,
    r"NULLS NOT DISTINCT": 15,
    r"\bdate_bin\b": 14,
    r"CREATE OR REPLACE TRIGGER": 14,
    r"\bBEGIN ATOMIC\b": 14,
    r"\bgen_random_uuid\b": 13,
    r"FETCH FIRST .* WITH TIES": 13,
    r"\bmultirange\b": 14,
    r"\bJSON_TABLE\b|\bJSON_VALUE\b": 17,
    r"RETURNING (OLD|NEW)\.": 18,
    r"\buuidv7\b": 18,
    r"\brandom_normal\b|\bany_value\b": 16,
    r"DROP EXPRESSION": 13,
    r"\btrim_array\b|\bstring_to_table\b|\bbit_count\b": 14,
}


def test_the_sql_needs_nothing_newer_than_postgresql_12() -> None:
    sources = list(VERSIONS.parents[1].rglob("*.py"))
    assert len(sources) > 10
    found = [
        f"{source.name}: {match[0]} came with PostgreSQL {version}"
        for source in sources
        for pattern, version in NEWER_THAN_12.items()
        for match in re.finditer(pattern, source.read_text())
    ]
    assert not found
