"""Causes of notices: what fails, for which reason, how often, in which brands, and since when.

When a notice is written is decided in `operations/alerts/policy.py`; those that wait to be sent are `outbox.py`'s.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.stores.db.database import Cursor

# A failed run, a failed check of severity ERROR, one of severity WARN.
Kind = Literal["run", "check", "warning"]

_LOCK = 0x6E6F7465  # any number that only notices use


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """Something that failed once. `key` names it for ever, so that what is read twice counts once.

    `stage` is the step, or the check's asset; `check` is "" for a run, `brand` "" where there is none. `reason_key` is
    what all failures of one cause have in common.
    """

    key: str
    kind: Kind
    stage: str
    check: str
    reason_key: str
    reason: str
    brand: str
    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recovery:
    """Something that works: what failed of it before that moment is over, of these kinds and for any reason."""

    kinds: tuple[Kind, ...]
    stage: str
    check: str
    brand: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause and all that failed for it. `failing`: brands ("" for none) in which it has not worked since.

    `told_at`: when the last notice of it was written, None where that is still to come, `told_runs` how many there were
    then; `returned`: how often it came back after it was over. `run_id` is the last one's.
    """

    id: str
    kind: Kind
    stage: str
    check: str
    reason: str
    noticed_at: datetime
    first_at: datetime
    last_at: datetime
    told_at: datetime | None
    told_runs: int
    returned: int
    runs: int
    brands: tuple[str, ...]
    failing: tuple[str, ...]
    run_id: str


def alone(cursor: Cursor) -> None:
    """Until this transaction ends, nobody else records or decides; and what it writes is there after a crash."""
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def record(cursor: Cursor, happened: Sequence[FailureEvent | Recovery]) -> int:
    """Write down what happened, in its order; how many failures were new. Safe to repeat with the same."""
    new = 0
    for one in happened:
        if isinstance(one, Recovery):
            _recover(cursor, one)
        else:
            new += _fail(cursor, one)
    return new


def open_incidents(cursor: Cursor) -> list[Incident]:
    """All that are not over, the oldest first."""
    cursor.execute(
        """
        SELECT c.id, c.kind, c.stage, c.check_name AS "check", c.reason, c.noticed_at, c.told_at, c.told_runs,
               c.returned, min(f.at) AS first_at, max(f.at) AS last_at, count(DISTINCT f.run_id) AS runs,
               array_agg(DISTINCT f.brand) AS brands,
               coalesce(array_agg(DISTINCT f.brand) FILTER (WHERE f.recovered_at IS NULL), '{}') AS failing,
               (array_agg(f.run_id ORDER BY f.at DESC))[1] AS run_id
        FROM notice_causes c JOIN notice_failures f ON f.cause_id = c.id
        WHERE c.over_at IS NULL
        GROUP BY c.id
        ORDER BY first_at, c.id
        """
    )
    rows = cursor.fetchall()
    return [
        Incident(**{**row, "id": str(row["id"]), "brands": tuple(row["brands"]), "failing": tuple(row["failing"])})
        for row in rows
    ]


def mark_alerted(cursor: Cursor, cause: Incident) -> None:
    """A notice of it is written."""
    cursor.execute(
        "UPDATE notice_causes SET told_at = unde_now(), told_runs = %s WHERE id = %s", (cause.runs, cause.id)
    )


def mark_resolved(cursor: Cursor, cause: Incident) -> None:
    """It is over: the next failure of the kind is another cause, or within a day the same one again."""
    cursor.execute("UPDATE notice_causes SET over_at = unde_now() WHERE id = %s", (cause.id,))


def forget(cursor: Cursor, days: int) -> int:
    """Delete what has been over for so many days; how many causes."""
    cursor.execute("DELETE FROM notice_causes WHERE over_at < unde_now() - make_interval(days => %s)", (days,))
    return cursor.rowcount


def _recover(cursor: Cursor, one: Recovery) -> None:
    cursor.execute(
        """
        UPDATE notice_failures f SET recovered_at = %(at)s
        FROM notice_causes c
        WHERE c.id = f.cause_id AND c.over_at IS NULL AND c.kind = ANY(%(kinds)s) AND c.stage = %(stage)s
          AND c.check_name = %(check)s AND f.brand = %(brand)s AND f.at <= %(at)s AND f.recovered_at IS NULL
        """,
        {"kinds": list(one.kinds), "stage": one.stage, "check": one.check, "brand": one.brand, "at": one.at},
    )


def _fail(cursor: Cursor, one: FailureEvent) -> int:
    cursor.execute("SELECT 1 FROM notice_failures WHERE key = %s", (one.key,))
    if cursor.fetchone() is not None:
        return 0
    cursor.execute(
        """
        SELECT id, over_at FROM notice_causes
        WHERE kind = %s AND stage = %s AND check_name = %s AND reason_key = %s
          AND (over_at IS NULL OR over_at > unde_now() - interval '1 day')
        ORDER BY over_at DESC NULLS FIRST
        LIMIT 1
        """,
        (one.kind, one.stage, one.check, one.reason_key),
    )
    row = cursor.fetchone()
    cause_id = row["id"] if row else uuid.uuid4()
    if row is None:
        cursor.execute(
            "INSERT INTO notice_causes (id, kind, stage, check_name, reason_key, reason, noticed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, unde_now())",
            (cause_id, one.kind, one.stage, one.check, one.reason_key, one.reason),
        )
    elif row["over_at"] is not None:
        cursor.execute(
            "UPDATE notice_causes SET over_at = NULL, told_at = NULL, noticed_at = unde_now(), returned = returned + 1"
            " WHERE id = %s",
            (cause_id,),
        )
    cursor.execute(
        "INSERT INTO notice_failures (key, cause_id, brand, run_id, at) VALUES (%s, %s, %s, %s, %s)",
        (one.key, cause_id, one.brand, one.run_id, one.at),
    )
    return 1
