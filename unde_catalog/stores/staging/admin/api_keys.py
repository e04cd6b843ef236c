"""Keys of the API: name, scope and hash. The keys themselves are not stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.stores.db.database import Cursor

Scope = Literal["read", "write"]  # write includes read


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key. `last_used_at` is accurate to a minute."""

    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def add(cursor: Cursor, name: str, scope: Scope, digest: str) -> bool:
    """Add a key by its SHA-256 in hex; returns False if a key with this name exists that is not revoked."""
    cursor.execute(
        "INSERT INTO api_keys (digest, name, scope, created_at) VALUES (%s, %s, %s, unde_now())"
        " ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
        (digest, name, scope),
    )
    return cursor.rowcount == 1


def use(cursor: Cursor, digest: str) -> tuple[str, Scope] | None:
    """The name and scope of a valid key, None if it is not valid; updates `last_used_at` once a minute."""
    cursor.execute(
        "SELECT name, scope, coalesce(last_used_at <= unde_now() - interval '1 minute', true) AS outdated"
        " FROM api_keys WHERE digest = %s AND revoked_at IS NULL",
        (digest,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    if row["outdated"]:  # SKIP LOCKED: concurrent requests do not wait for each other
        cursor.execute(
            "UPDATE api_keys SET last_used_at = unde_now() WHERE digest ="
            " (SELECT digest FROM api_keys WHERE digest = %s FOR UPDATE SKIP LOCKED)",
            (digest,),
        )
    return row["name"], row["scope"]


def revoke(cursor: Cursor, name: str) -> bool:
    """Revoke a key; returns False if no valid key has this name."""
    cursor.execute(
        "UPDATE api_keys SET revoked_at = unde_now() WHERE name = %s AND revoked_at IS NULL",
        (name,),
    )
    return cursor.rowcount == 1


def all_keys(cursor: Cursor) -> list[ApiKey]:
    """All keys, including revoked ones, the newest last."""
    cursor.execute("SELECT name, scope, created_at, last_used_at, revoked_at FROM api_keys ORDER BY created_at, name")
    return [ApiKey(**row) for row in cursor.fetchall()]
