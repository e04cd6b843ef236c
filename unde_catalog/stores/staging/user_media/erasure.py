"""Erases a user's data in the staging database.

The objects are deleted, and the event is published, by `services/user_media/erasure.py`.
"""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """The numbers of requests without user ids now (their counts stay) and of deleted photo rows."""

    requests: int
    photos: int


def erase_rows(cursor: Cursor, user_id: int, bot_id: int | None = None) -> ErasedRows:
    """Erase a user from all rows: photo rows are deleted; requests keep their counts, but no ids.

    A request in progress gets no response, and its worker deletes what it stored meanwhile. Call it before the objects
    are deleted, and again afterwards, for requests that started in between.
    """
    cursor.execute(
        """
        UPDATE user_media_requests
        SET state = 'forgotten', bot_id = NULL, user_id = NULL, avatar_id = NULL, batch_id = NULL, answer = NULL,
            settled_at = coalesce(settled_at, unde_now())
        WHERE user_id = %(user)s AND (%(bot)s::bigint IS NULL OR bot_id = %(bot)s)
        """,
        {"user": user_id, "bot": bot_id},
    )
    requests = cursor.rowcount
    cursor.execute(
        "DELETE FROM user_media_photos WHERE user_id = %(user)s AND (%(bot)s::bigint IS NULL OR bot_id = %(bot)s)",
        {"user": user_id, "bot": bot_id},
    )
    return ErasedRows(requests, cursor.rowcount)
