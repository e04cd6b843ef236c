"""Checks by EXPLAIN whether this database serves the queries of due work by indexes; runs none of them.

The queries are not written again here: the modules are called with a cursor that explains. Queries that count a whole
brand are left out: for a brand that is most of a table, a sequential scan is right.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work import requeue, spreading, ticks, work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome

_SMALL = 8_000_000  # bytes: a sequential scan of such a table takes milliseconds, and the planner may choose it
_LEASE = timedelta(minutes=15)
_INTERVAL = timedelta(hours=1)
_LIMIT = 200  # products per take

# An index scan without a condition on the first column reads the whole index, which is no better.
_KEYS = {"due_work_pkey": ("due_work", "product_id"), "raw_products_pkey": ("raw_products", "id")}


@dataclass(frozen=True, slots=True)
class SequentialScan:
    """A query that reads a whole table of this many bytes."""

    query: str
    stage: str
    brand: str
    table: str
    bytes: int

    @property
    def small(self) -> bool:
        """Whether the table is so small that an index would not be faster."""
        return self.bytes <= _SMALL

    def sentence(self) -> str:
        """For a log or a check."""
        size = f"{self.bytes / 1e6:.1f} MB" + (", which is fast while it is small" if self.small else "")
        return f"{self.query} of {self.stage} in {self.brand} reads all of {self.table} ({size})"


def sequential_scans(cursor: Cursor, stages: Sequence[str], brands: Sequence[str]) -> list[SequentialScan]:
    """All sequential scans, for each stage and brand; empty if indexes serve every query."""
    scans = [
        (query, stage, brand, table)
        for stage in stages
        for brand in brands
        for query, plan in plans(cursor, stage, brand)
        for table in _scanned(plan)
    ]
    sizes = {table: _size(cursor, table) for _, _, _, table in scans}
    return [SequentialScan(*scan, sizes[scan[-1]]) for scan in dict.fromkeys(scans)]


def plans(cursor: Cursor, stage: str, brand: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each query's name and plan (the JSON of EXPLAIN) for a stage and brand; writes are planned, not executed."""
    for name, query in _queries(stage, brand).items():
        explaining: Any = _Explaining(cursor)
        query(explaining)
        for plan in explaining.plans:
            yield name, plan


def _queries(stage: str, brand: str) -> dict[str, Callable[[Cursor], object]]:
    ids = list(range(1, _LIMIT + 1))
    outcomes = [LeaseOutcome(Lease(one, str(one), "token", 0, 0, None, 0.0), "done") for one in ids[:50]]
    return {
        "take": lambda cursor: work_queue.take(cursor, stage, brand, _LIMIT, _LEASE),
        "take by id": lambda cursor: work_queue.take(cursor, stage, brand, _LIMIT, _LEASE, ids),
        "finish": lambda cursor: work_queue.finish(cursor, stage, outcomes, _INTERVAL),
        "count_open": lambda cursor: work_queue.count_open(cursor, stage, brand),
        "brands_with_due_work": lambda cursor: ticks.brands_with_due_work(cursor, stage, [brand]),
        "product_ids_of": lambda cursor: requeue.product_ids_of(cursor, brand, [str(one) for one in ids]),
        "without_slot": lambda cursor: spreading.without_slot(cursor, stage, brand, 0),
        "changed": lambda cursor: spreading.changed(cursor, stage, brand),
    }


class _NoRow(dict[str, Any]):
    """The row of a query that was not executed: every column is 0."""

    def __missing__(self, name: str) -> int:
        return 0


class _Explaining:
    """A cursor that explains statements instead of executing them; its results are empty."""

    rowcount = 0

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.plans: list[dict[str, Any]] = []

    def execute(self, query: str, values: Any = None) -> None:
        if query.startswith("SET LOCAL"):
            return
        self._cursor.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), values)
        row = self._cursor.fetchone()
        assert row is not None  # EXPLAIN returns one
        self.plans.append(row["QUERY PLAN"][0]["Plan"])

    def fetchone(self) -> dict[str, Any]:
        return _NoRow(due=0, leased=0)

    def fetchall(self) -> list[dict[str, Any]]:
        return []


def _scanned(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    table, column = _KEYS.get(plan.get("Index Name", ""), ("", ""))
    if column not in plan.get("Index Cond", ""):
        yield table
    for part in plan.get("Plans", ()):
        yield from _scanned(part)


def _size(cursor: Cursor, table: str) -> int:
    cursor.execute("SELECT pg_relation_size(%s::text::regclass) AS bytes", (table,))
    row = cursor.fetchone()
    assert row is not None  # a SELECT without FROM has one
    return row["bytes"]
