"""Daily upkeep of the hot tables: statistics anew, dead rows away, bloated and broken indexes built anew.

What is measured and how it is mended is SQL in `stores/db/bloat.py`; old rows are
`stores/staging/admin/retention.py`'s.
"""

import time
from dataclasses import dataclass, field

import psycopg

from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.bloat import IndexState, TableState
from unde_catalog.stores.db.postgres_tools import ToolFailed, direct

HOT = ("raw_products", "due_work", "product_photos", "raw_availability", "price_history")
_LOCK_SECONDS = 60  # for whoever is in the way; then that index waits for tomorrow


@dataclass(frozen=True, slots=True)
class UpkeepLimits:
    """From where on something is mended. Autovacuum comes at a fifth of dead rows; a new index is a tenth air."""

    dead_share: float = 0.2
    dead_rows: int = 1_000
    index_growth: float = 2.0  # bytes to those needed: random inserts alone lead to 1.3
    index_bytes: int = 8 << 20


@dataclass(frozen=True, slots=True)
class MaintainedTable:
    """What was done to a table or an index: `before` and `after` are bytes, `found` says what was wrong."""

    name: str
    found: str
    done: str
    before: int
    after: int


@dataclass(slots=True)
class UpkeepReport:
    """All tables and what was mended; `trouble`: what could not be, in sentences."""

    tables: list[MaintainedTable] = field(default_factory=list)
    indexes: list[MaintainedTable] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0


def maintain(url: str, limits: UpkeepLimits = UpkeepLimits()) -> UpkeepReport:
    """Look after the hot tables of the database at `url`, which leads past any pooler and connects as their owner.

    `ToolFailed` where it does not; what fails for one index holds up no other.
    """
    report, began = UpkeepReport(), time.monotonic()
    with direct(url, label="staging") as database:
        connection = database.connection
        if foreign := [one for one in bloat.tables(connection, HOT) if not one.ours]:
            raise ToolFailed(
                f"{database.role} may not look after {', '.join(one.name for one in foreign)} in {database.name}, "
                f"which are {foreign[0].owner}'s: set BACKUP_DB_URL to connect as the owner of the tables"
            )
        bloat.set_lock_timeout(connection, _LOCK_SECONDS)
        for name in HOT:
            bloat.analyze(connection, name)
        for table in bloat.tables(connection, HOT):
            report.tables.append(_tend_table(connection, table, limits))
        for index in bloat.indexes(connection, HOT):
            try:
                if (tended := _tend_index(connection, index, limits)) is not None:
                    report.indexes.append(tended)
            except psycopg.Error as error:
                report.trouble.append(
                    f"{index.name} of {index.table} could not be built anew: {str(error).partition(chr(10))[0]}; "
                    "it is tried again tomorrow"
                )
    report.seconds = time.monotonic() - began
    return report


def _tend_table(connection: bloat.Connection, table: TableState, limits: UpkeepLimits) -> MaintainedTable:
    found = f"{table.dead:,} of {table.live + table.dead:,} rows dead"
    if table.dead <= max(limits.dead_rows, limits.dead_share * (table.live + table.dead)):
        return MaintainedTable(table.name, found, "analyzed", table.bytes, table.bytes)
    bloat.vacuum(connection, table.name)
    (after,) = bloat.tables(connection, [table.name])
    left = f", {after.dead:,} dead rows left, which somebody may still see" if after.dead else ""
    return MaintainedTable(table.name, found, f"vacuumed{left}", table.bytes, after.bytes)


def _tend_index(connection: bloat.Connection, index: IndexState, limits: UpkeepLimits) -> MaintainedTable | None:
    if index.being_built:
        return None
    if index.left_over:
        bloat.drop_index(connection, index.name)
        return MaintainedTable(index.name, "left over by a REINDEX that did not end", "dropped", index.bytes, 0)
    if not index.valid:
        found = "invalid"
    elif index.needed and index.bytes > max(limits.index_bytes, limits.index_growth * index.needed):
        found = f"{index.bytes / index.needed:.1f} times what its entries need"
    else:
        return None
    bloat.reindex(connection, index.name)
    after = next((one.bytes for one in bloat.indexes(connection, [index.table]) if one.name == index.name), 0)
    return MaintainedTable(index.name, found, "built anew", index.bytes, after)
