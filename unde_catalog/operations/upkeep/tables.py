"""Daily maintenance of the busiest tables: statistics, dead rows, bloated and broken indexes, a pgvector that is new.

The SQL is in `stores/db/bloat.py`; old rows are deleted by `retention.py`.
"""

import time
from dataclasses import dataclass, field

import psycopg

from unde_catalog.stores.db import bloat
from unde_catalog.stores.db.bloat import IndexState, TableState
from unde_catalog.stores.db.postgres_tools import ToolFailed, direct
from unde_catalog.stores.staging.index import vectors

HOT_TABLES = ("raw_products", "due_work", "product_photos", "raw_availability", "price_history")
_LOCK_SECONDS = 60  # how long to wait for a lock; after that the index is left for the next day


@dataclass(frozen=True, slots=True)
class MaintenanceLimits:
    """Thresholds of a repair. Autovacuum starts at 20 % dead rows; a new index is 10 % empty."""

    dead_share: float = 0.2
    dead_rows: int = 1_000
    index_growth: float = 2.0  # size divided by the size its entries need; random inserts alone lead to 1.3
    index_bytes: int = 8 << 20


@dataclass(frozen=True, slots=True)
class MaintainedObject:
    """A table or an index: its state before, the action taken, and its size."""

    name: str
    state: str
    action: str
    bytes_before: int
    bytes_after: int


@dataclass(slots=True)
class MaintenanceReport:
    """All tables and the repaired indexes; `failures` has a sentence for each index that could not be rebuilt."""

    tables: list[MaintainedObject] = field(default_factory=list)
    indexes: list[MaintainedObject] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def maintain(url: str, limits: MaintenanceLimits = MaintenanceLimits()) -> MaintenanceReport:
    """Maintain the hot tables of the database at `url`, which bypasses any pooler and connects as their owner.

    `ToolFailed` where the role does not own the tables. An index that cannot be rebuilt does not stop the others.
    """
    report, began = MaintenanceReport(), time.monotonic()
    with direct(url, label="staging") as database:
        connection = database.connection
        if foreign := [table for table in bloat.tables(connection, HOT_TABLES) if not table.owned]:
            raise ToolFailed(
                f"{database.role} may not maintain {', '.join(table.name for table in foreign)} in {database.name}, "
                f"which {foreign[0].owner} owns: set BACKUP_DB_URL to connect as the owner of the tables"
            )
        bloat.set_lock_timeout(connection, _LOCK_SECONDS)
        for name in HOT_TABLES:
            bloat.analyze(connection, name)
        for table in bloat.tables(connection, HOT_TABLES):
            report.tables.append(_maintain_table(connection, table, limits))
        for index in bloat.indexes(connection, HOT_TABLES):
            try:
                if (repaired := _repair_index(connection, index, limits)) is not None:
                    report.indexes.append(repaired)
            except psycopg.Error as error:
                report.failures.append(
                    f"{index.name} of {index.table} could not be rebuilt: {str(error).partition(chr(10))[0]}; "
                    "the next daily run tries again"
                )
        if (prepared := _prepare_vectors(connection)) is not None:
            report.tables.append(prepared)
    report.seconds = time.monotonic() - began
    return report


def _maintain_table(connection: bloat.Connection, table: TableState, limits: MaintenanceLimits) -> MaintainedObject:
    rows = table.live + table.dead
    state = f"{table.dead:,} of {rows:,} rows dead"
    if table.dead <= max(limits.dead_rows, limits.dead_share * rows):
        return MaintainedObject(table.name, state, "analyzed", table.bytes, table.bytes)
    bloat.vacuum(connection, table.name)
    (after,) = bloat.tables(connection, [table.name])
    left = f"; {after.dead:,} dead rows remain because open transactions may still see them" if after.dead else ""
    return MaintainedObject(table.name, state, f"vacuumed{left}", table.bytes, after.bytes)


def _prepare_vectors(connection: bloat.Connection) -> MaintainedObject | None:
    """Make embeddings searchable where pgvector was installed after they were stored."""
    with connection.cursor() as cursor:
        if vectors.searchable(cursor) or not vectors.prepare(cursor):
            return None
    (table,) = bloat.tables(connection, ["product_embeddings"])
    return MaintainedObject(table.name, "kept as real[]", "made searchable with pgvector", table.bytes, table.bytes)


def _repair_index(
    connection: bloat.Connection, index: IndexState, limits: MaintenanceLimits
) -> MaintainedObject | None:
    if index.being_built:
        return None
    if index.leftover:
        bloat.drop_index(connection, index.name)
        return MaintainedObject(index.name, "left over from an interrupted REINDEX", "dropped", index.bytes, 0)
    if not index.valid:
        state = "invalid"
    elif index.needed and index.bytes > max(limits.index_bytes, limits.index_growth * index.needed):
        state = f"{index.bytes / index.needed:.1f} times the size its entries need"
    else:
        return None
    bloat.reindex(connection, index.name)
    after = next((one.bytes for one in bloat.indexes(connection, [index.table]) if one.name == index.name), 0)
    return MaintainedObject(index.name, state, "rebuilt", index.bytes, after)
