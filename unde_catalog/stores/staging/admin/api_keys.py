"""Keys of the search API: their names, what they may do, and a hash of each. The keys themselves are nowhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.stores.db.database import Cursor

Scope = Literal["read", "write"]  # write may read


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: `last_used_at` is at most a minute old."""

    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def add(cursor: Cursor, name: str, scope: Scope, digest: str) -> bool:
    """Keep a new key by the SHA-256 of it in hex; False where there is one of this name that is not revoked."""
    cursor.execute(
        "INSERT INTO api_keys (digest, name, scope, created_at) VALUES (%s, %s, %s, unde_now())"
        " ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
        (digest, name, scope),
    )
    return cursor.rowcount == 1


def use(cursor: Cursor, digest: str) -> tuple[str, Scope] | None:
    """The name and scope of a key that holds, None where there is none; notes once a minute that it is used."""
    cursor.execute(
        "SELECT name, scope, coalesce(last_used_at <= unde_now() - interval '1 minute', true) AS noted_long_ago"
        " FROM api_keys WHERE digest = %s AND revoked_at IS NULL",
        (digest,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    if row["noted_long_ago"]:  # requests at the same time do not wait for each other to say the same
        cursor.execute(
            "UPDATE api_keys SET last_used_at = unde_now() WHERE digest ="
            " (SELECT digest FROM api_keys WHERE digest = %s FOR UPDATE SKIP LOCKED)",
            (digest,),
        )
    return row["name"], row["scope"]


def revoke(cursor: Cursor, name: str) -> bool:
    """Let a key hold no longer; False where no such key holds."""
    cursor.execute(
        "UPDATE api_keys SET revoked_at = unde_now() WHERE name = %s AND revoked_at IS NULL",
        (name,),
    )
    return cursor.rowcount == 1


def all_keys(cursor: Cursor) -> list[ApiKey]:
    """All keys there are and were, the newest last."""
    cursor.execute("SELECT name, scope, created_at, last_used_at, revoked_at FROM api_keys ORDER BY created_at, name")
    return [ApiKey(**row) for row in cursor.fetchall()]
