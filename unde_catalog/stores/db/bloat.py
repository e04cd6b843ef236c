"""What tables and indexes are made of: rows that are dead, pages that are air; and the statements that mend it.

For one connection past any pooler, in autocommit, as the owner: none of these statements may be in a transaction, and
the server only warns whoever may not give them. When to mend is decided in `operations/upkeep/tables.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

Connection = psycopg.Connection[DictRow]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table: rows that are alive and dead (as the last ANALYZE saw them), bytes with its indexes, whose it is."""

    name: str
    live: int
    dead: int
    bytes: int
    owner: str
    ours: bool


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index: its bytes, those its entries would need (only of B-trees), and whether it is valid.

    `left_over`: a REINDEX that did not come to its end left it; `being_built`: somebody is at it now.
    """

    name: str
    table: str
    bytes: int
    needed: int | None
    valid: bool
    left_over: bool
    being_built: bool


def tables(connection: Connection, names: Sequence[str]) -> list[TableState]:
    """Those of the tables that are there."""
    rows = connection.execute(
        """
        SELECT c.relname AS name, coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead,
               pg_total_relation_size(c.oid) AS bytes, pg_get_userbyid(c.relowner) AS owner,
               pg_has_role(c.relowner, 'USAGE') AS ours
        FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, n)
             JOIN pg_class c ON c.relname = wanted.name AND c.relnamespace = current_schema()::regnamespace
             LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
        ORDER BY wanted.n
        """,
        (list(names),),
    )
    return [TableState(**row) for row in rows]


def indexes(connection: Connection, names: Sequence[str]) -> list[IndexState]:
    """All indexes of the tables, after an ANALYZE.

    What a B-tree's entries need is estimated from the columns' mean widths: 8 bytes of header, the columns, all that
    in steps of 8, and 4 for the pointer; 8,152 bytes of a page hold entries, nine tenths of them when it is new. Equal
    keys are stored once, so an index of few values needs less, and is never thought to be bloated.
    """
    rows = connection.execute(
        """
        WITH ours AS (
            SELECT i.*, x.relname AS name, t.relname AS table_name, n.nspname AS schema_name, m.amname,
                   greatest(x.reltuples, 0) AS entries
            FROM pg_index i
                 JOIN pg_class x ON x.oid = i.indexrelid
                 JOIN pg_class t ON t.oid = i.indrelid
                 JOIN pg_namespace n ON n.oid = t.relnamespace
                 JOIN pg_am m ON m.oid = x.relam
            WHERE t.relname = ANY(%s) AND t.relnamespace = current_schema()::regnamespace
        ), widths AS (
            SELECT o.indexrelid, sum(coalesce(s.avg_width, 8)) AS width
            FROM ours o
                 JOIN pg_attribute a ON a.attrelid = o.indexrelid
                 LEFT JOIN pg_attribute c ON c.attrelid = o.indrelid AND c.attnum = o.indkey[a.attnum - 1]
                                             AND o.indkey[a.attnum - 1] <> 0
                 LEFT JOIN pg_stats s ON s.schemaname = o.schema_name AND NOT s.inherited
                     AND s.tablename = CASE WHEN c.attname IS NULL THEN o.name ELSE o.table_name END
                     AND s.attname = coalesce(c.attname, a.attname)  -- an expression has statistics of its own
            GROUP BY o.indexrelid
        )
        SELECT o.name, o.table_name AS table, pg_relation_size(o.indexrelid) AS bytes,
               CASE WHEN o.amname = 'btree' THEN
                   ((ceil(o.entries * (ceil((8 + w.width) / 8.0) * 8 + 4) / (8152 * 0.9)) + 1) * 8192)::bigint
               END AS needed,
               o.indisvalid AND o.indisready AS valid,
               NOT o.indisvalid AND o.name ~ '_cc(new|old)[0-9]*$' AS left_over,
               EXISTS (SELECT 1 FROM pg_stat_progress_create_index p
                       WHERE p.relid = o.indrelid AND p.datname = current_database()) AS being_built
        FROM ours o JOIN widths w ON w.indexrelid = o.indexrelid
        ORDER BY o.table_name, o.name
        """,
        (list(names),),
    )
    return [IndexState(**row) for row in rows]


def analyze(connection: Connection, table: str) -> None:
    """Count anew what the planner goes by, and how many rows are dead."""
    _run(connection, "ANALYZE {}", table)


def vacuum(connection: Connection, table: str) -> None:
    """Make the room of dead rows free again; others read and write meanwhile."""
    _run(connection, "VACUUM (ANALYZE, SKIP_LOCKED) {}", table)


def reindex(connection: Connection, index: str) -> None:
    """Build an index anew beside the old one, which serves meanwhile."""
    _run(connection, "REINDEX INDEX CONCURRENTLY {}", index)


def drop_index(connection: Connection, index: str) -> None:
    """Drop an index; others read and write meanwhile."""
    _run(connection, "DROP INDEX CONCURRENTLY IF EXISTS {}", index)


def set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Wait so long for others to end what they do; then that statement fails."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{seconds:.0f}s",))


def _run(connection: Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # pyright: ignore[reportArgumentType]
