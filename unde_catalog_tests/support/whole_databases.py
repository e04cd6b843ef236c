"""Complete databases as text, and inconsistent backups, for tests of backups."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from unde_catalog.operations.upkeep.backup import read_manifest


def all_rows(url: str) -> dict[str, list[str]]:
    """Every row of every table as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace ="
                                    " 'public'::regnamespace ORDER BY 1")  # fmt: skip
        return {
            table: sorted(row[0] for row in connection.execute(f"SELECT t::text FROM {table} t".encode()))
            for (table,) in tables.fetchall()
        }


def schema(url: str) -> list[Any]:
    """Columns, indexes, functions, triggers, rights and policies; whose they are aside."""
    queries = [
        "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " ORDER BY oid::regprocedure::text",
        "SELECT tgname, tgrelid::regclass::text, tgtype, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT grantee, table_name, column_name, privilege_type FROM information_schema.column_privileges"
        " WHERE grantee IN ('apify', 'downloader', 'collage', 'ximilar', 'scraper') ORDER BY 1, 2, 3, 4",
        "SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
    ]
    with psycopg.connect(url) as connection:
        return [connection.execute(query.encode()).fetchall() for query in queries]


def altered(**changes: Any) -> Callable[[Path], None]:
    def alter(made: Path) -> None:
        manifest = read_manifest(made).model_copy(update=changes)
        (made / "manifest.json").write_text(manifest.model_dump_json())

    return alter
