"""Daily figures of the user media service, and requests without a response, for reports and checks.

The rows are written in `media_requests.py`. The figures have no user ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from unde_catalog.stores.db.database import Cursor

DAYS_SHOWN = 14  # by the asset user_media_days


@dataclass(frozen=True, slots=True)
class MediaDay:
    """The figures of a UTC day. `codes`: failed photos and requests by error code."""

    day: date
    batches: int
    batch_photos: int
    batch_stored: int
    singles: int
    singles_stored: int
    errors: int
    dead: int
    bytes: int
    mean_batch_seconds: float | None
    mean_single_seconds: float | None
    codes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Requests that need attention.

    `dead`: dead letters of the last day, with the newest one's reason. `silent`: requests that started between an hour
    and a week ago and have neither ended nor started again.
    """

    dead: int
    reason: str | None
    silent: int


def days(cursor: Cursor, limit: int) -> list[MediaDay]:
    """The figures of the last `limit` UTC days, the newest first; days on which no request ended are missing."""
    cursor.execute(
        """
        SELECT r.day,
               count(*) FILTER (WHERE header = 'train' AND is_result) AS batches,
               coalesce(sum(photos) FILTER (WHERE header = 'train' AND is_result), 0) AS batch_photos,
               coalesce(sum(stored) FILTER (WHERE header = 'train'), 0) AS batch_stored,
               count(*) FILTER (WHERE header = 'inf') AS singles,
               coalesce(sum(stored) FILTER (WHERE header = 'inf'), 0) AS singles_stored,
               count(*) FILTER (WHERE NOT is_result) AS errors,
               count(*) FILTER (WHERE reason IS NOT NULL) AS dead,
               coalesce(sum(bytes), 0) AS bytes,
               avg(seconds) FILTER (WHERE header = 'train' AND is_result) AS mean_batch_seconds,
               avg(seconds) FILTER (WHERE header = 'inf' AND is_result) AS mean_single_seconds,
               coalesce((SELECT jsonb_object_agg(code, n) FROM (
                   SELECT c.key AS code, sum(c.value::int) AS n
                   FROM user_media_requests q, jsonb_each_text(q.codes) c WHERE q.day = r.day GROUP BY c.key) AS k
               ), '{}') AS codes
        FROM (SELECT *, subject IS DISTINCT FROM %(error)s AND reason IS NULL AS is_result
              FROM user_media_requests WHERE day > to_date_immutable(unde_now()) - %(limit)s::int) AS r
        GROUP BY r.day ORDER BY r.day DESC
        """,
        {"limit": limit, "error": "photo_upload_error"},
    )
    return [_day(row) for row in cursor.fetchall()]


def unanswered(cursor: Cursor) -> Unanswered:
    """Requests that need attention."""
    cursor.execute(
        """
        SELECT count(*) FILTER (WHERE state = 'dead') AS dead,
               (array_agg(reason ORDER BY settled_at DESC) FILTER (WHERE state = 'dead'))[1] AS reason,
               count(*) FILTER (WHERE state = 'in_hand' AND taken_at < unde_now() - interval '1 hour'
                                  AND taken_at > unde_now() - interval '7 days') AS silent
        FROM user_media_requests
        WHERE day IS NULL OR day >= to_date_immutable(unde_now()) - 1 AND settled_at > unde_now() - interval '1 day'
        """
    )
    row = cursor.fetchone()
    assert row is not None  # an aggregate without GROUP BY has one
    return Unanswered(**row)


def _day(row: Mapping[str, Any]) -> MediaDay:
    counts: Sequence[str] = ("batch_photos", "batch_stored", "singles_stored", "bytes")
    return MediaDay(**{**row, **{name: int(row[name]) for name in counts}})
