"""The pace of requests to a remote host, one row a host, shared by all processes.

A host in distress (403, 429, 5xx, time-outs) gets requests ever more slowly, and its usual pace back step by step when
it responds well. What counts as distress is decided by the client. Times are real times (`clock_timestamp`), not
`unde_now()`, because they are about real requests.
"""

from dataclasses import dataclass
from datetime import datetime

from unde_catalog.stores.db.database import Cursor

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between two requests, beside the usual gap, to a host in distress
LONGEST_HOLD = 300.0  # seconds for which one response may hold all requests
_RECOVERY = 0.8  # factor of the pause after a good response: four or more of them undo one distress


@dataclass(frozen=True, slots=True)
class RequestSlot:
    """When a request may be sent: `wait` seconds from now. `pause`: that of the host then, 0 at its usual pace."""

    wait: float
    pause: float


@dataclass(frozen=True, slots=True)
class HostState:
    """The state of a host: `pause` seconds between requests beside the usual gap, since `slowed_at`, for `reason`.

    At the usual pace `pause` is 0 and `slowed_at` None. `reason` is that of the last distress, `troubles` their number.
    """

    host: str
    pause: float
    reason: str | None
    slowed_at: datetime | None
    troubles: int


def next_slot(cursor: Cursor, host: str, gap: float) -> RequestSlot:
    """Reserve the next time for a request; the one after it, of any process, is `gap` seconds plus the pause later."""
    cursor.execute(
        """
        INSERT INTO host_pace AS p (host, next_at)
        VALUES (%(host)s, clock_timestamp() + %(gap)s * interval '1 second')
        ON CONFLICT (host) DO UPDATE SET
            -- later than any hold can last: the server's clock was turned back
            next_at = CASE WHEN p.next_at > clock_timestamp() + %(longest)s * interval '1 second'
                           THEN clock_timestamp() ELSE greatest(p.next_at, clock_timestamp()) END
                      + (%(gap)s + p.pause) * interval '1 second'
        RETURNING extract(epoch FROM next_at - clock_timestamp())::float8 - %(gap)s - pause AS wait, pause
        """,
        {"host": host, "gap": gap, "longest": LONGEST_HOLD + LONGEST_PAUSE},
    )
    row = cursor.fetchone()
    assert row is not None  # RETURNING of one row
    return RequestSlot(max(row["wait"], 0.0), row["pause"])


def slow_down(cursor: Cursor, host: str, reason: str, slot: RequestSlot, hold_seconds: float = 0.0) -> None:
    """Double the host's pause, once for all requests that were sent at the same pause.

    `hold_seconds`: the host asked for no requests at all during this time (Retry-After).
    """
    cursor.execute(
        """
        UPDATE host_pace SET
            pause = CASE WHEN pause <= %(slot_pause)s THEN least(greatest(pause * 2, %(first)s), %(longest)s)
                         ELSE pause END,
            slowed_at = coalesce(slowed_at, clock_timestamp()),
            reason = %(reason)s,
            troubles = troubles + 1
        WHERE host = %(host)s
        """,
        {
            "host": host,
            "reason": reason,
            "slot_pause": slot.pause + 1e-9,
            "first": FIRST_PAUSE,
            "longest": LONGEST_PAUSE,
        },
    )
    if hold_seconds > 0:
        hold(cursor, host, hold_seconds)


def speed_up(cursor: Cursor, host: str) -> None:
    """Shorten the pause of a slowed host after a good response; in the end it is 0 again."""
    cursor.execute(
        """
        UPDATE host_pace SET
            pause = CASE WHEN pause * %(factor)s < %(first)s / 4 THEN 0 ELSE pause * %(factor)s END,
            slowed_at = CASE WHEN pause * %(factor)s >= %(first)s / 4 THEN slowed_at END
        WHERE host = %(host)s AND pause > 0
        """,
        {"host": host, "factor": _RECOVERY, "first": FIRST_PAUSE},
    )


def hold(cursor: Cursor, host: str, seconds: float) -> None:
    """Let no process send a request for this time, at most `LONGEST_HOLD`: the host asked for it."""
    cursor.execute(
        """
        INSERT INTO host_pace AS p (host, next_at)
        VALUES (%(host)s, clock_timestamp() + %(seconds)s * interval '1 second')
        ON CONFLICT (host) DO UPDATE SET next_at = greatest(p.next_at, excluded.next_at)
        """,
        {"host": host, "seconds": min(seconds, LONGEST_HOLD)},
    )


def states(cursor: Cursor) -> list[HostState]:
    """All hosts that ever got a request, by name: a handful."""
    cursor.execute("SELECT host, pause, reason, slowed_at, troubles FROM host_pace ORDER BY host")
    return [HostState(**row) for row in cursor.fetchall()]
