"""`raw_products` as reports and notebooks read it: selected columns of some brands, in pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from unde_catalog.stores.db.database import Cursor

PAGE = 5_000  # rows in a query, each in a short transaction without session state


def columns(cursor: Cursor) -> Mapping[str, str]:
    """The columns and their PostgreSQL types, in the table's order."""
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
    """The next rows after an id, by id, with the id and the columns `names`; empty at the end.

    `inactive`: include inactive products.
    """
    selected = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(("id", *names))))
    cursor.execute(
        sql.SQL(
            """
            SELECT {columns} FROM raw_products
            WHERE brand = ANY(%(brands)s) AND id > %(after)s AND (active OR %(inactive)s)
            ORDER BY id LIMIT %(page)s
            """
        ).format(columns=selected),
        {"brands": list(brands), "after": after, "inactive": inactive, "page": PAGE},
    )
    return cursor.fetchall()
