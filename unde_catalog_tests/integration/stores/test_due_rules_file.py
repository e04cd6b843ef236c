"""The file of the rules that make products due is what the migrations leave in force."""

import re
from importlib import resources

import psycopg

RULES = resources.files("unde_catalog.stores.staging") / "schema" / "due_rules.sql"
OTHERS = {  # of indexes and of text search, not of due work
    "to_date_immutable", "prepare_vectors", "search_text", "words_of_product", "keep_product_words",
    "raw_products_words_after_insert", "raw_products_words_after_update",
}  # fmt: skip


def in_force(connection: psycopg.Connection) -> dict[str, str]:
    """The functions and triggers of the schema by name, without comments and layout; functions with their rights."""
    functions = connection.execute(
        """
        SELECT p.proname, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql')
        """
    ).fetchall()
    triggers = connection.execute(
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    ).fetchall()
    return {name: normalised(definition) for name, definition in [*functions, *triggers] if name not in OTHERS}


def normalised(definition: str) -> str:
    return " ".join(re.sub(r"--[^\n]*", "", definition).split())


def test_due_rules_sql_is_what_the_migrations_leave_in_force(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        migrated = in_force(connection)
        for name in migrated:
            connection.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE".encode())  # with its triggers
        assert in_force(connection) == {}
        connection.execute(RULES.read_text().encode())
        assert in_force(connection) == migrated
        connection.rollback()
