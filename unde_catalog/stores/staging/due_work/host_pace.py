"""How fast a host is asked, by one row for all processes: when the next request may go, and what slows it down.

A host in distress (403, 429, 5xx, time-outs) is asked ever more slowly, and by and by as usual again (spec 5). What
counts as distress is its client's to say. Real time, as it is about real requests.
"""

from dataclasses import dataclass
from datetime import datetime

from unde_catalog.stores.db.database import Cursor

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between two requests, beside the usual gap, of a host in distress
LONGEST_REST = 300.0  # seconds for which one answer may hold up all
_RECOVERY = 0.8  # what a good answer leaves of the pause; four or more of them are needed to undo one bad one


@dataclass(frozen=True, slots=True)
class RequestSlot:
    """Seconds to wait before a request, and the host's pause when it was given (0: at ease)."""

    wait: float
    pause: float


@dataclass(frozen=True, slots=True)
class HostState:
    """How a host is doing: `pause` seconds between requests beside the usual gap since `slowed_at`, and why.

    At ease `pause` is 0 and `slowed_at` None; `reason` is that of the last distress, `troubles` counts them all.
    """

    host: str
    pause: float
    reason: str | None
    slowed_at: datetime | None
    troubles: int


def next_slot(cursor: Cursor, host: str, gap: float) -> RequestSlot:
    """When this caller may send a request; the next one may `gap` seconds and the host's pause later, whoever it is."""
    cursor.execute(
        """
        INSERT INTO host_pace AS p (host, next_at)
        VALUES (%(host)s, clock_timestamp() + %(gap)s * interval '1 second')
        ON CONFLICT (host) DO UPDATE SET
            -- farther ahead than anybody rests: the server's clock was turned back
            next_at = CASE WHEN p.next_at > clock_timestamp() + %(longest)s * interval '1 second'
                           THEN clock_timestamp() ELSE greatest(p.next_at, clock_timestamp()) END
                      + (%(gap)s + p.pause) * interval '1 second'
        RETURNING extract(epoch FROM next_at - clock_timestamp())::float8 - %(gap)s - pause AS wait, pause
        """,
        {"host": host, "gap": gap, "longest": LONGEST_REST + LONGEST_PAUSE},
    )
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one row
    return RequestSlot(max(row["wait"], 0.0), row["pause"])


def distress(cursor: Cursor, host: str, reason: str, asked_at: RequestSlot, rest: float = 0.0) -> None:
    """Ask the host more slowly: twice the pause, once for all requests of the same pause; `rest`: not at all for so
    many seconds, as it said itself."""
    cursor.execute(
        """
        UPDATE host_pace SET
            pause = CASE WHEN pause <= %(asked_at)s THEN least(greatest(pause * 2, %(first)s), %(longest)s)
                         ELSE pause END,
            slowed_at = coalesce(slowed_at, clock_timestamp()),
            reason = %(reason)s,
            troubles = troubles + 1,
            next_at = greatest(next_at, clock_timestamp() + %(rest)s * interval '1 second')
        WHERE host = %(host)s
        """,
        {
            "host": host,
            "reason": reason,
            "asked_at": asked_at.pause + 1e-9,
            "first": FIRST_PAUSE,
            "longest": LONGEST_PAUSE,
            "rest": min(rest, LONGEST_REST),
        },
    )


def recovered(cursor: Cursor, host: str) -> None:
    """A good answer of a host that is slowed down: a little faster again, and at ease in the end."""
    cursor.execute(
        """
        UPDATE host_pace SET
            pause = CASE WHEN pause * %(left)s < %(first)s / 4 THEN 0 ELSE pause * %(left)s END,
            slowed_at = CASE WHEN pause * %(left)s >= %(first)s / 4 THEN slowed_at END
        WHERE host = %(host)s AND pause > 0
        """,
        {"host": host, "left": _RECOVERY, "first": FIRST_PAUSE},
    )


def states(cursor: Cursor) -> list[HostState]:
    """All hosts that were ever asked, by name: a handful."""
    cursor.execute("SELECT host, pause, reason, slowed_at, troubles FROM host_pace ORDER BY host")
    return [HostState(**row) for row in cursor.fetchall()]
