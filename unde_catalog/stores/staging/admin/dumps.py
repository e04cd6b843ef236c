"""What a dump and a restore of the staging database query and execute. pg_dump and pg_restore do the rest."""

from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

Connection = psycopg.Connection[DictRow]

# Temporary tables of comparisons with the object store: not needed later.
SCRATCH = ("object_checks", "stored_objects", "object_findings")

_NOT_SYSTEM: LiteralString = """
    n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{0}'::regclass AND d.objid = {1}.oid
                    AND d.deptype = 'e')
"""

# Drops everything that a dump may contain, except what belongs to extensions. Runs in the transaction of the restore.
_DROP_ALL = f"""
DO $restore$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                              WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind,
               c.oid::regclass::text AS name, c.oid
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {_NOT_SYSTEM.format("pg_class", "c")}
        ORDER BY c.relkind = 'S'  -- last: the sequence of an identity column is dropped with its table
    LOOP
        IF EXISTS (SELECT 1 FROM pg_class WHERE oid = object.oid) THEN  -- not dropped by an earlier CASCADE
            EXECUTE format('DROP %s %s CASCADE', object.kind, object.name);
        END IF;
    END LOOP;
    FOR object IN
        SELECT p.oid, p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_NOT_SYSTEM.format("pg_proc", "p")}
    LOOP
        IF EXISTS (SELECT 1 FROM pg_proc WHERE oid = object.oid) THEN
            EXECUTE format('DROP ROUTINE %s CASCADE', object.name);
        END IF;
    END LOOP;
    FOR object IN
        SELECT t.oid, t.oid::regtype::text AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR EXISTS (
                  SELECT 1 FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
          AND {_NOT_SYSTEM.format("pg_type", "t")}
    LOOP
        IF EXISTS (SELECT 1 FROM pg_type WHERE oid = object.oid) THEN
            EXECUTE format('DROP TYPE %s CASCADE', object.name);
        END IF;
    END LOOP;
    FOR object IN
        SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace n
        WHERE n.nspname <> 'public' AND {_NOT_SYSTEM.format("pg_namespace", "n")}
    LOOP
        EXECUTE format('DROP SCHEMA %s CASCADE', object.name);
    END LOOP;
END $restore$;
"""

# No product may be leased: its outcome would be written to rows from before the lease.
_NO_LEASES = """
DO $restore$
DECLARE
    leased bigint;
    until timestamptz;
BEGIN
    IF to_regclass('due_work') IS NOT NULL THEN
        LOCK TABLE due_work IN ACCESS EXCLUSIVE MODE;
        SELECT count(*), max(leased_until) INTO leased, until FROM due_work WHERE leased_until > now();
        IF leased > 0 THEN
            RAISE EXCEPTION 'workers have leased % products: stop the workers, or if none runs, wait until %',
                leased, date_trunc('second', until);
        END IF;
    END IF;
END $restore$;
"""

# As if the leases were released. A dump may be older than these tables.
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
    """Begin a transaction with a snapshot, and return the snapshot's name, so that pg_dump can use it too."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return _one(connection, "SELECT pg_export_snapshot() AS value")


def tables(connection: Connection) -> list[str]:
    """All tables except those of extensions, quoted for SQL."""
    rows = connection.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND "
        + _NOT_SYSTEM.format("pg_class", "c")
        + " ORDER BY 1"
    )
    return [row["name"] for row in rows]


def row_counts(connection: Connection) -> dict[str, int]:
    """Number of rows by table, without temporary tables."""
    return {
        name: _one(connection, f"SELECT count(*) AS value FROM {name}".encode())
        for name in tables(connection)
        if name.rpartition(".")[2] not in SCRATCH
    }


def filled(connection: Connection) -> dict[str, int]:
    """Number of rows of the tables that have any; empty for a database that was only migrated."""
    counts = {name: count for name, count in row_counts(connection).items() if count}
    return {name: count for name, count in counts.items() if not name.endswith(".alembic_version")}


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None before the first."""
    if _one(connection, "SELECT to_regclass('alembic_version')::text AS value") is None:
        return None
    return _one(connection, "SELECT max(version_num) AS value FROM alembic_version")


def roles(connection: Connection) -> list[str]:
    """Roles that have rights or policies in this database; a restore needs them."""
    rows = connection.execute(
        "SELECT DISTINCT r.rolname AS name FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid"
        " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()"
        " AND s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('a', 'r') ORDER BY 1"
    )
    return [row["name"] for row in rows]


def missing_roles(connection: Connection, names: list[str]) -> list[str]:
    """The roles that this server does not have."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (names,))
    known = {row["rolname"] for row in rows}
    return [name for name in names if name not in known]


def missing_extensions(connection: Connection, names: list[str]) -> list[str]:
    """The extensions that this database does not have and this role cannot create."""
    rows = connection.execute(
        """
        SELECT w.name FROM unnest(%s::text[]) AS w (name)
        WHERE NOT EXISTS (SELECT 1 FROM pg_extension e WHERE e.extname = w.name)
          AND NOT EXISTS (SELECT 1 FROM pg_available_extension_versions v WHERE v.name = w.name
                          AND (v.trusted OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)))
        ORDER BY 1
        """,
        (names,),
    )
    return [row["name"] for row in rows]


def before_restore(new_roles: list[str]) -> str:
    """The SQL before the dump, in the one transaction of a restore."""
    create_roles = [sql.SQL("CREATE ROLE {} LOGIN;").format(sql.Identifier(name)).as_string(None) for name in new_roles]
    begin = f"BEGIN; SET client_min_messages = warning; SET LOCAL lock_timeout = '{_LOCK_SECONDS}s';"
    return "\n".join([begin, _NO_LEASES, _DROP_ALL, *create_roles, ""])


def after_restore(search_path: str, counts: dict[str, Any]) -> str:
    """The SQL after the dump: checks that it is complete, and voids its leases."""
    checks = [
        f"""DO $restore$ BEGIN
            IF (SELECT count(*) FROM {name}) <> {int(count)} THEN
                RAISE EXCEPTION 'the dump restored % rows of %, expected {int(count)}',
                    (SELECT count(*) FROM {name}), '{name.replace("'", "''")}';
            END IF;
        END $restore$;"""
        for name, count in counts.items()
    ]
    path = sql.Literal(search_path).as_string(None)
    return "\n".join([f"SELECT set_config('search_path', {path}, false);", *checks, _VOID_LEASES, "COMMIT;", ""])


def search_path(connection: Connection) -> str:
    """The search path of this role."""
    return _one(connection, "SELECT current_setting('search_path') AS value")


def _one(connection: Connection, query: Any) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None  # each of these queries returns a row
    return row["value"]
