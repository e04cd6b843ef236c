"""What the staging database holds of a person's photos, and how it is forgotten.

The photos themselves, and what is told of it, are `services/user_media/erasure.py`'s.
"""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """`requests` that name the person no more (their counts stay), `photos` whose rows are deleted."""

    requests: int
    photos: int


def erase_rows(cursor: Cursor, user_id: int, bot_id: int | None = None) -> ErasedRows:
    """Take a person out of all rows: photos are deleted, requests keep their counts and nothing that names anybody.

    One in hand is forgotten, too: it is not answered, and who is at it takes away what he stored meanwhile.
    Call it before the objects are deleted, and again after it, for what was begun in between.
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
