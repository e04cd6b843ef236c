"""What dumping and restoring a database asks of it; the dump itself is pg_dump's."""

from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

Connection = psycopg.Connection[DictRow]

# Scratch of comparisons with the object store: no use to anybody later.
SCRATCH = ("object_checks", "stored_objects", "object_findings")

_OURS: LiteralString = """
    n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{0}'::regclass AND d.objid = {1}.oid
                    AND d.deptype = 'e')
"""

# What a dump may bring again, without what belongs to extensions. In the restore's own transaction.
_DROP_ALL = f"""
DO $restore$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS what,
               c.oid::regclass::text AS name, c.oid
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {_OURS.format("pg_class", "c")}
        ORDER BY c.relkind = 'S'  -- last: an identity column's goes with its table, and not before
    LOOP
        IF EXISTS (SELECT 1 FROM pg_class WHERE oid = one.oid) THEN  -- it may have gone with another
            EXECUTE format('DROP %s %s CASCADE', one.what, one.name);
        END IF;
    END LOOP;
    FOR one IN
        SELECT p.oid, p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OURS.format("pg_proc", "p")}
    LOOP
        IF EXISTS (SELECT 1 FROM pg_proc WHERE oid = one.oid) THEN
            EXECUTE format('DROP ROUTINE %s CASCADE', one.name);
        END IF;
    END LOOP;
    FOR one IN
        SELECT t.oid, t.oid::regtype::text AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR EXISTS (
                  SELECT 1 FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
          AND {_OURS.format("pg_type", "t")}
    LOOP
        IF EXISTS (SELECT 1 FROM pg_type WHERE oid = one.oid) THEN
            EXECUTE format('DROP TYPE %s CASCADE', one.name);
        END IF;
    END LOOP;
    FOR one IN
        SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace n
        WHERE n.nspname <> 'public' AND {_OURS.format("pg_namespace", "n")}
    LOOP
        EXECUTE format('DROP SCHEMA %s CASCADE', one.name);
    END LOOP;
END $restore$;
"""

# Nobody may have a product in hand, as its outcome would come to rows that know nothing of it.
_NOBODY_AT_WORK = """
DO $restore$
DECLARE
    in_hand bigint;
    until timestamptz;
BEGIN
    IF to_regclass('due_work') IS NOT NULL THEN
        LOCK TABLE due_work IN ACCESS EXCLUSIVE MODE;
        SELECT count(*), max(leased_until) INTO in_hand, until FROM due_work WHERE leased_until > now();
        IF in_hand > 0 THEN
            RAISE EXCEPTION 'workers have % products in hand: stop them, or where none is left wait until %',
                in_hand, date_trunc('second', until);
        END IF;
    END IF;
END $restore$;
"""

# As if handed back. A dump may be older than these tables.
_VOID_LEASES = """
DO $restore$
BEGIN
    IF to_regclass('scrapes') IS NOT NULL THEN
        UPDATE scrapes SET lease_token = NULL, leased_until = NULL WHERE lease_token IS NOT NULL;
    END IF;
    IF to_regclass('due_work') IS NOT NULL THEN
        UPDATE due_work SET lease_token = NULL, leased_until = NULL, taken = -abs(taken) WHERE lease_token IS NOT NULL;
    END IF;
END $restore$;
"""

_LOCK_SECONDS = 30


def snapshot(connection: Connection) -> str:
    """Begin a transaction that sees one moment, and name it so that pg_dump sees the same."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return _one(connection, "SELECT pg_export_snapshot() AS value")


def tables(connection: Connection) -> list[str]:
    """All tables that are not an extension's, quoted as SQL wants them."""
    rows = connection.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND "
        + _OURS.format("pg_class", "c")
        + " ORDER BY 1"
    )
    return [row["name"] for row in rows]


def row_counts(connection: Connection) -> dict[str, int]:
    """Rows by table, without scratch."""
    return {
        name: _one(connection, f"SELECT count(*) AS value FROM {name}".encode())
        for name in tables(connection)
        if name.rpartition(".")[2] not in SCRATCH
    }


def filled(connection: Connection) -> dict[str, int]:
    """Rows by table where there are any; a database that was only migrated has none."""
    counts = {name: count for name, count in row_counts(connection).items() if count}
    return {name: count for name, count in counts.items() if not name.endswith(".alembic_version")}


def revision(connection: Connection) -> str | None:
    """The migration the database is at."""
    if _one(connection, "SELECT to_regclass('alembic_version')::text AS value") is None:
        return None
    return _one(connection, "SELECT max(version_num) AS value FROM alembic_version")


def roles(connection: Connection) -> list[str]:
    """Roles that have rights in this database, or policies: a restore needs them."""
    rows = connection.execute(
        "SELECT DISTINCT r.rolname AS name FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
        " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()"
        " AND s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('a', 'r') ORDER BY 1"
    )
    return [row["name"] for row in rows]


def missing_roles(connection: Connection, wanted: list[str]) -> list[str]:
    """Those of the roles that this server does not know."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (wanted,))
    known = {row["rolname"] for row in rows}
    return [name for name in wanted if name not in known]


def missing_extensions(connection: Connection, wanted: list[str]) -> list[str]:
    """Those of the extensions that are not in this database, and that this role can't create in it."""
    rows = connection.execute(
        """
        SELECT w.name FROM unnest(%s::text[]) AS w (name)
        WHERE NOT EXISTS (SELECT 1 FROM pg_extension e WHERE e.extname = w.name)
          AND NOT EXISTS (SELECT 1 FROM pg_available_extension_versions v WHERE v.name = w.name
                          AND (v.trusted OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)))
        ORDER BY 1
        """,
        (wanted,),
    )
    return [row["name"] for row in rows]


def before_restore(new_roles: list[str]) -> str:
    """What goes before the dump in the one transaction of a restore."""
    made = [sql.SQL("CREATE ROLE {} LOGIN;").format(sql.Identifier(name)).as_string(None) for name in new_roles]
    begin = f"BEGIN; SET client_min_messages = warning; SET LOCAL lock_timeout = '{_LOCK_SECONDS}s';"
    return "\n".join([begin, _NOBODY_AT_WORK, _DROP_ALL, *made, ""])


def after_restore(search_path: str, counts: dict[str, Any]) -> str:
    """What goes behind the dump: it is all there, and nobody has anything in hand."""
    checks = [
        f"""DO $restore$ BEGIN
            IF (SELECT count(*) FROM {name}) <> {int(count)} THEN
                RAISE EXCEPTION 'the dump brought % rows of %, and had {int(count)}',
                    (SELECT count(*) FROM {name}), '{name.replace("'", "''")}';
            END IF;
        END $restore$;"""
        for name, count in counts.items()
    ]
    path = sql.Literal(search_path).as_string(None)
    return "\n".join([f"SELECT set_config('search_path', {path}, false);", *checks, _VOID_LEASES, "COMMIT;", ""])


def search_path(connection: Connection) -> str:
    """Where this role looks for tables."""
    return _one(connection, "SELECT current_setting('search_path') AS value")


def _one(connection: Connection, query: Any) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None  # each of these queries answers with a row
    return row["value"]
