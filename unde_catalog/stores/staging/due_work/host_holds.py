"""Hosts that asked for no requests for longer than a run waits (Retry-After), shared by all processes.

Shorter pauses are in `host_pace.py`, and in the memory of the process that downloads.
"""

from unde_catalog.stores.db.database import Cursor

# A hold that begins in the future was written before the server's clock was turned back.
_HELD = "until > unde_now() AND asked_at <= unde_now() + interval '1 minute'"


def hold(cursor: Cursor, host: str, seconds: float) -> None:
    """Remember that a host ("name" or "name:port") asked for no requests for this time."""
    cursor.execute(f"DELETE FROM host_holds WHERE NOT ({_HELD})")
    cursor.execute(
        """
        INSERT INTO host_holds AS h (host, asked_at, until)
        VALUES (%(host)s, unde_now(), unde_now() + %(seconds)s * interval '1 second')
        ON CONFLICT (host) DO UPDATE SET asked_at = excluded.asked_at, until = greatest(h.until, excluded.until)
        """,
        {"host": host, "seconds": seconds},
    )


def held(cursor: Cursor) -> dict[str, float]:
    """The seconds for which each host must still be left alone; hosts without a hold are left out."""
    cursor.execute(
        f"SELECT host, extract(epoch FROM until - unde_now())::float8 AS seconds FROM host_holds WHERE {_HELD}"
    )
    return {row["host"]: row["seconds"] for row in cursor.fetchall()}
