"""The rights of the stages' roles on the deployed tables: what they have beyond their stage, and taking it back.

What a stage needs is in `schema/role_rights.sql`. Rights that are taken back are written down, so that they can be
given back while a deployed service still needs them.
"""

from dataclasses import dataclass
from importlib import resources

from psycopg import sql

from unde_catalog.stores.db.database import Cursor

STAGE_ROLES = ("apify", "collage", "downloader", "ximilar")
_TABLES = ("raw_availability", "raw_products", "raw_stores", "scraper_logs")
# Whole-table rights that a stage's role has on the deployed tables by role_rights.sql.
_OWN = {("raw_products", "SELECT"), ("scraper_logs", "SELECT"), ("scraper_logs", "INSERT"), ("scraper_logs", "UPDATE")}


@dataclass(frozen=True, slots=True)
class ExcessRight:
    """A right of a role on a whole table that its stage does not need."""

    role: str
    table: str
    privilege: str


def excess(cursor: Cursor) -> list[ExcessRight]:
    """Rights of the stages' roles on deployed tables that their stages do not need; an owner's own do not count."""
    cursor.execute(
        """
        SELECT r.rolname AS role, c.relname AS "table", a.privilege_type AS privilege
        FROM pg_class c, aclexplode(c.relacl) AS a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(%s) AND r.rolname = ANY(%s)
          AND r.oid <> c.relowner
        ORDER BY 1, 2, 3
        """,
        (list(_TABLES), list(STAGE_ROLES)),
    )
    rights = [ExcessRight(**row) for row in cursor.fetchall()]
    return [right for right in rights if (right.table, right.privilege) not in _OWN]


def narrow(cursor: Cursor) -> list[ExcessRight]:
    """Take back what the stages do not need; returns it."""
    found = excess(cursor)
    for right in found:
        cursor.execute(
            "INSERT INTO revoked_rights (role, table_name, privilege) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (right.role, right.table, right.privilege),
        )
        cursor.execute(_statement("REVOKE {} ON {} FROM {}", right))
    # Revoking a right on a table takes back those on its columns, too.
    cursor.execute((resources.files("unde_catalog.stores.staging") / "schema" / "role_rights.sql").read_bytes())
    return found


def restore(cursor: Cursor) -> list[ExcessRight]:
    """Give back what was taken back; returns it."""
    cursor.execute('DELETE FROM revoked_rights RETURNING role, table_name AS "table", privilege')
    found = sorted((ExcessRight(**row) for row in cursor.fetchall()), key=lambda right: (right.role, right.table))
    for right in found:
        cursor.execute(_statement("GRANT {} ON {} TO {}", right))
    return found


def _statement(text: str, right: ExcessRight) -> sql.Composed:
    # pg_class.relacl names privileges as GRANT does, so this is a keyword of PostgreSQL.
    if not right.privilege.replace(" ", "").isalpha():
        raise ValueError(f"not a privilege: {right.privilege!r}")
    return sql.SQL(text).format(sql.SQL(right.privilege), sql.Identifier(right.table), sql.Identifier(right.role))  # type: ignore[arg-type]
