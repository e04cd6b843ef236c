"""Query plans of the statements that the code under test executes."""

from typing import Any

from unde_catalog.stores.db.database import Cursor


class ExplainingCursor:
    """A cursor that records the plan of each statement that it executes."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.plans: list[str] = []

    def execute(self, query: str, values: Any = None) -> Any:
        if not query.startswith("SET"):
            self._cursor.execute(f"EXPLAIN {query}".encode(), values)
            self.plans.append("\n".join(row["QUERY PLAN"] for row in self._cursor.fetchall()))
        return self._cursor.execute(query.encode(), values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def assert_no_seq_scan(cursor: ExplainingCursor, allowed: tuple[str, ...] = ("catalog_brands", "catalog_publ")) -> None:
    """Assert that no executed statement scans a whole table, except those whose names contain an allowed part.

    PostgreSQL's own tables of extensions and schemas have a few rows.
    """
    allowed = (*allowed, "pg_extension", "pg_namespace")
    for plan in cursor.plans:
        scans = [
            line for line in plan.splitlines() if "Seq Scan on" in line and not any(name in line for name in allowed)
        ]
        assert not scans, plan
