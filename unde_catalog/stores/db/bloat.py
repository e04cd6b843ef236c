"""Dead rows of tables and bloat of indexes, and the statements that repair them.

Needs a connection past any pooler, in autocommit, as the owner: these statements cannot run in a transaction, and for
other roles the server only prints a warning. `operations/upkeep/tables.py` decides when to repair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

Connection = psycopg.Connection[DictRow]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table: live and dead rows as of the last ANALYZE, bytes with its indexes, and whether this role owns it."""

    name: str
    live: int
    dead: int
    bytes: int
    owner: str
    owned: bool


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index: its bytes, the bytes that its entries need (B-trees only), and whether it is valid.

    `leftover`: an interrupted REINDEX left it. `being_built`: an index of its table is being built now.
    """

    name: str
    table: str
    bytes: int
    needed: int | None
    valid: bool
    leftover: bool
    being_built: bool


def tables(connection: Connection, names: Sequence[str]) -> list[TableState]:
    """The state of these tables; missing ones are left out."""
    rows = connection.execute(
        """
        SELECT c.relname AS name, coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead,
               pg_total_relation_size(c.oid) AS bytes, pg_get_userbyid(c.relowner) AS owner,
               pg_has_role(c.relowner, 'USAGE') AS owned
        FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, n)
             JOIN pg_class c ON c.relname = t.name AND c.relnamespace = current_schema()::regnamespace
             LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
        ORDER BY t.n
        """,
        (list(names),),
    )
    return [TableState(**row) for row in rows]


def indexes(connection: Connection, names: Sequence[str]) -> list[IndexState]:
    """The state of all indexes of these tables; run ANALYZE before.

    The bytes that the entries of a B-tree need are estimated from the mean widths of the columns: 8 bytes of header
    plus the columns, rounded up to 8, plus 4 for the pointer. A page holds 8,152 bytes of entries, nine tenths of them
    when it is new. Equal keys are stored once, so an index of few values needs less and never counts as bloated.
    """
    rows = connection.execute(
        """
        WITH indexes AS (
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
            FROM indexes o
                 JOIN pg_attribute a ON a.attrelid = o.indexrelid
                 LEFT JOIN pg_attribute c ON c.attrelid = o.indrelid AND c.attnum = o.indkey[a.attnum - 1]
                                             AND o.indkey[a.attnum - 1] <> 0
                 LEFT JOIN pg_stats s ON s.schemaname = o.schema_name AND NOT s.inherited
                     AND s.tablename = CASE WHEN c.attname IS NULL THEN o.name ELSE o.table_name END
                     AND s.attname = coalesce(c.attname, a.attname)  -- an expression has its own statistics
            GROUP BY o.indexrelid
        )
        SELECT o.name, o.table_name AS table, pg_relation_size(o.indexrelid) AS bytes,
               CASE WHEN o.amname = 'btree' THEN
                   ((ceil(o.entries * (ceil((8 + w.width) / 8.0) * 8 + 4) / (8152 * 0.9)) + 1) * 8192)::bigint
               END AS needed,
               o.indisvalid AND o.indisready AS valid,
               NOT o.indisvalid AND o.name ~ '_cc(new|old)[0-9]*$' AS leftover,
               EXISTS (SELECT 1 FROM pg_stat_progress_create_index p
                       WHERE p.relid = o.indrelid AND p.datname = current_database()) AS being_built
        FROM indexes o JOIN widths w ON w.indexrelid = o.indexrelid
        ORDER BY o.table_name, o.name
        """,
        (list(names),),
    )
    return [IndexState(**row) for row in rows]


def analyze(connection: Connection, table: str) -> None:
    """Update the planner's statistics and the number of dead rows."""
    _run(connection, "ANALYZE {}", table)


def vacuum(connection: Connection, table: str) -> None:
    """Free the space of dead rows; does not block readers or writers."""
    _run(connection, "VACUUM (ANALYZE, SKIP_LOCKED) {}", table)


def reindex(connection: Connection, index: str) -> None:
    """Rebuild an index beside the old one, which stays in use meanwhile."""
    _run(connection, "REINDEX INDEX CONCURRENTLY {}", index)


def drop_index(connection: Connection, index: str) -> None:
    """Drop an index; does not block readers or writers."""
    _run(connection, "DROP INDEX CONCURRENTLY IF EXISTS {}", index)


def set_lock_timeout(connection: Connection, seconds: float) -> None:
    """Let statements fail that wait longer than this for a lock."""
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{seconds:.0f}s",))


def _run(connection: Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # pyright: ignore[reportArgumentType]
