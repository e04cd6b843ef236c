"""raw_products as reports and notebooks read it: chosen columns of some brands, in pages. Nothing is written here."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from unde_catalog.stores.db.database import Cursor

PAGE = 5_000  # rows a query: each is a short transaction, and nothing lives in a session


def columns(cursor: Cursor) -> Mapping[str, str]:
    """The columns and their types in PostgreSQL's words, in the table's order."""
    cursor.execute(
        """
        SELECT column_name, data_type FROM information_schema.columns
        WHERE table_schema = ANY(current_schemas(false)) AND table_name = 'raw_products'
        ORDER BY ordinal_position
        """
    )
    return {row["column_name"]: row["data_type"] for row in cursor.fetchall()}


def page(
    cursor: Cursor, brands: Sequence[str], names: Sequence[str], after: int, *, inactive: bool
) -> list[dict[str, Any]]:
    """The next rows after an id, by id: `names` and the id itself; empty at the end. `inactive`: also those."""
    wanted = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(("id", *names))))
    cursor.execute(
        sql.SQL(
            """
            SELECT {wanted} FROM raw_products
            WHERE brand = ANY(%(brands)s) AND id > %(after)s AND (active OR %(inactive)s)
            ORDER BY id LIMIT %(page)s
            """
        ).format(wanted=wanted),
        {"brands": list(brands), "after": after, "inactive": inactive, "page": PAGE},
    )
    return cursor.fetchall()
