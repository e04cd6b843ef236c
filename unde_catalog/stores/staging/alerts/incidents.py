"""Incidents: what fails, for which reason, how often, in which brands, and since when.

`operations/alerts/policy.py` decides when an alert is written; alerts to send are in `outbox.py`.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unde_catalog.stores.db.database import Cursor

# A failed run, a failed check of severity ERROR, one of severity WARN.
Kind = Literal["run", "check", "warning"]

_LOCK = 0x6E6F7465  # an advisory lock that only alerts use


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """A failure. `key` identifies it, so that a failure that is read twice counts once.

    `stage` is the step, or the check's asset. `check` is "" for a run, `brand` "" if there is none. Failures with the
    same `reason_key` belong to one incident.
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
    """A success, which ends earlier failures of these kinds for any reason."""

    kinds: tuple[Kind, ...]
    stage: str
    check: str
    brand: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident and its failures. `failing`: brands ("" for none) that have not recovered.

    `alerted_at`: when its last alert was written, None if there is none yet; `alerted_runs`: the number of runs then.
    `returned`: how often it came back after it was resolved. `run_id` is that of the last failure.
    """

    id: str
    kind: Kind
    stage: str
    check: str
    reason: str
    noticed_at: datetime
    first_at: datetime
    last_at: datetime
    alerted_at: datetime | None
    alerted_runs: int
    returned: int
    runs: int
    brands: tuple[str, ...]
    failing: tuple[str, ...]
    run_id: str


def lock(cursor: Cursor) -> None:
    """Exclude other processes until this transaction ends, and commit it to disk."""
    cursor.execute("SET LOCAL synchronous_commit = on")
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def record(cursor: Cursor, events: Sequence[FailureEvent | Recovery]) -> int:
    """Write events in their order; returns the number of new failures. Repeating a call changes nothing."""
    new, failures = 0, list[FailureEvent]()
    for one in events:
        if isinstance(one, FailureEvent):
            failures.append(one)
        else:
            new += _fail(cursor, failures)
            failures = []
            _recover(cursor, one)
    return new + _fail(cursor, failures)


def open_incidents(cursor: Cursor) -> list[Incident]:
    """Incidents that are not resolved, the oldest first."""
    cursor.execute(
        """
        SELECT c.id, c.kind, c.stage, c.check_name AS "check", c.reason, c.noticed_at, c.told_at AS alerted_at,
               c.told_runs AS alerted_runs, c.returned, min(f.at) AS first_at, max(f.at) AS last_at,
               count(DISTINCT f.run_id) AS runs,
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


def mark_alerted(cursor: Cursor, incident: Incident) -> None:
    """Mark an incident as alerted."""
    cursor.execute(
        "UPDATE notice_causes SET told_at = unde_now(), told_runs = %s WHERE id = %s", (incident.runs, incident.id)
    )


def mark_resolved(cursor: Cursor, incident: Incident) -> None:
    """Mark an incident as resolved. The same failure within a day opens it again."""
    cursor.execute("UPDATE notice_causes SET over_at = unde_now() WHERE id = %s", (incident.id,))


def delete_old(cursor: Cursor, days: int) -> int:
    """Delete incidents that were resolved more than `days` ago; returns their number."""
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


def _fail(cursor: Cursor, failures: Sequence[FailureEvent]) -> int:
    """Write failures, thousands at once if need be; returns the number of new ones."""
    cursor.execute("SELECT key FROM notice_failures WHERE key = ANY(%s)", ([one.key for one in failures],))
    known = {row["key"] for row in cursor.fetchall()}
    new = list({one.key: one for one in failures if one.key not in known}.values())
    incidents: dict[tuple[str, ...], uuid.UUID] = {}
    for one in new:
        same = (one.kind, one.stage, one.check, one.reason_key)
        if same not in incidents:
            incidents[same] = _open_incident(cursor, one)
    ids = [incidents[one.kind, one.stage, one.check, one.reason_key] for one in new]
    cursor.execute(
        "INSERT INTO notice_failures (key, cause_id, brand, run_id, at)"
        " SELECT * FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[])",
        ([one.key for one in new], ids, [one.brand for one in new], [one.run_id for one in new],
         [one.at for one in new]),
    )  # fmt: skip
    return len(new)


def _open_incident(cursor: Cursor, one: FailureEvent) -> uuid.UUID:
    """The open incident that the failure belongs to, a resolved one of the last day opened again, or a new one."""
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
    if row is None:
        incident_id = uuid.uuid4()
        cursor.execute(
            "INSERT INTO notice_causes (id, kind, stage, check_name, reason_key, reason, noticed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, unde_now())",
            (incident_id, one.kind, one.stage, one.check, one.reason_key, one.reason),
        )
        return incident_id
    if row["over_at"] is not None:
        cursor.execute(
            "UPDATE notice_causes SET over_at = NULL, told_at = NULL, noticed_at = unde_now(), returned = returned + 1"
            " WHERE id = %s",
            (row["id"],),
        )
    return row["id"]
