"""The outbox of alerts, one row for each channel: written before they are sent, and confirmed afterwards.

Messages are built and sent in `operations/alerts/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

_GIVE_UP_DAYS = 3
_BLOCKING_TRIES = 3  # for which later alerts wait for an earlier one; after that its content may be the problem


@dataclass(frozen=True, slots=True)
class ClaimedAlert:
    """An alert that this process sends; `attempt` counts from 1."""

    id: str
    channel: str
    body: dict[str, Any]
    attempt: int


@dataclass(frozen=True, slots=True)
class PendingAlert:
    """The state of a channel: unsent alerts, since when, the last error, and the number of given-up ones."""

    channel: str
    pending: int
    since: datetime | None
    error: str | None
    given_up: int


def write(cursor: Cursor, notice_id: str, body: dict[str, Any], channels: Sequence[str]) -> bool:
    """Write an alert for these channels; returns whether it was new. An alert with the same id is not changed."""
    cursor.execute(
        "INSERT INTO notices (id, channel, body, written_at, next_at)"
        " SELECT %s, channel, %s, unde_now(), unde_now() FROM unnest(%s::text[]) AS channel"
        " ON CONFLICT (id, channel) DO NOTHING",
        (notice_id, Jsonb(body), list(channels)),
    )
    return cursor.rowcount > 0


def written_lately(cursor: Cursor) -> int:
    """The number of alerts written within the last hour."""
    cursor.execute("SELECT count(DISTINCT id) AS n FROM notices WHERE written_at > unde_now() - interval '1 hour'")
    row = cursor.fetchone()
    assert row is not None  # an aggregate has one
    return row["n"]


def claim(cursor: Cursor, channel: str) -> ClaimedAlert | None:
    """Claim the next alert of a channel; None if there is none to send now.

    If it is not confirmed, it is due again after 1, 2, 4 ... 60 minutes.
    """
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        """
        WITH next AS (
            SELECT n.id, n.channel FROM notices n
            WHERE n.channel = %(channel)s AND n.sent_at IS NULL AND n.gave_up_at IS NULL AND n.next_at <= unde_now()
              AND NOT EXISTS (
                SELECT 1 FROM notices earlier
                WHERE earlier.channel = n.channel AND earlier.number < n.number AND earlier.next_at > unde_now()
                  AND earlier.sent_at IS NULL AND earlier.gave_up_at IS NULL AND earlier.attempts <= %(blocking)s)
            ORDER BY n.number
            LIMIT 1
            FOR UPDATE SKIP LOCKED)
        UPDATE notices n
        SET attempts = attempts + 1,
            next_at = unde_now() + least(interval '60 minutes', power(2, least(attempts, 10)) * interval '1 minute')
        FROM next WHERE n.id = next.id AND n.channel = next.channel
        RETURNING n.id, n.channel, n.body, n.attempts AS attempt
        """,
        {"channel": channel, "blocking": _BLOCKING_TRIES},
    )
    row = cursor.fetchone()
    return ClaimedAlert(**row) if row else None


def mark_sent(cursor: Cursor, claimed: ClaimedAlert) -> None:
    """Confirm that an alert was sent."""
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute(
        "UPDATE notices SET sent_at = unde_now(), error = NULL WHERE id = %s AND channel = %s",
        (claimed.id, claimed.channel),
    )


def mark_not_sent(cursor: Cursor, claimed: ClaimedAlert, error: str) -> bool:
    """Write why an alert was not sent; returns whether it is given up, which happens after three days."""
    cursor.execute(
        """
        UPDATE notices
        SET error = %s, gave_up_at = CASE WHEN written_at < unde_now() - make_interval(days => %s) THEN unde_now() END
        WHERE id = %s AND channel = %s
        RETURNING gave_up_at IS NOT NULL AS given_up
        """,
        (error, _GIVE_UP_DAYS, claimed.id, claimed.channel),
    )
    row = cursor.fetchone()
    return row is not None and row["given_up"]


def pending(cursor: Cursor, channels: Sequence[str]) -> list[PendingAlert]:
    """The state of these channels, in their order."""
    cursor.execute(
        """
        SELECT c.channel, count(n.id) FILTER (WHERE n.gave_up_at IS NULL) AS pending,
               min(n.written_at) FILTER (WHERE n.gave_up_at IS NULL) AS since,
               (array_agg(n.error ORDER BY n.number DESC) FILTER (WHERE n.error IS NOT NULL))[1] AS error,
               count(n.id) FILTER (WHERE n.gave_up_at > unde_now() - interval '7 days') AS given_up
        FROM unnest(%s::text[]) WITH ORDINALITY AS c (channel, place)
        LEFT JOIN notices n ON n.channel = c.channel AND n.sent_at IS NULL
        GROUP BY c.channel, c.place ORDER BY c.place
        """,
        (list(channels),),
    )
    return [PendingAlert(**row) for row in cursor.fetchall()]


def delete_old(cursor: Cursor, days: int) -> int:
    """Delete alerts that were written more than `days` ago, sent or not; returns their number."""
    cursor.execute("DELETE FROM notices WHERE written_at < unde_now() - make_interval(days => %s)", (days,))
    return cursor.rowcount
