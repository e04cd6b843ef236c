"""User media: a row for each request of a stream, and a row for each photo that it stored.

A request is identified by its sequence in the stream and its time, because a recreated stream starts again at 1.
Responses are made in `services/user_media/`; users are erased in `erasure.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

# in_hand: started, without a response yet. answered: with a result. failed: with an error for the whole request.
# dead: a dead letter, with an error if the sender could be read. forgotten: the user was erased.
State = Literal["in_hand", "answered", "failed", "dead", "forgotten"]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A message's sequence in its stream, and the time at which the stream received it."""

    stream: str
    sequence: int
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class RequestSubject:
    """The user, avatar and photos that a request is about; values that could not be read are None."""

    header: str | None = None
    bot_id: int | None = None
    user_id: int | None = None
    avatar_id: str | None = None
    batch_id: str | None = None
    priority: int | None = None
    photos: int = 0


@dataclass(frozen=True, slots=True)
class StoredUserPhoto:
    """A photo in the bucket. `n`: its position in the request from 0. `seconds`: how long it took."""

    n: int
    file_id: str
    file_unique_id: str | None
    key: str
    bytes: int
    sha256: str
    content_type: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SettledRequest:
    """The result of a request. `subject` and `answer` are None without a recipient; `reason` is of dead letters."""

    state: State
    subject: str | None = None
    answer: bytes | None = None
    reason: str | None = None
    stored: int = 0
    failed: int = 0
    bytes: int = 0
    seconds: float = 0
    codes: Mapping[str, int] = field(default_factory=dict)
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRequest:
    """A claimed request: the number of the try from 1, and the photos that earlier tries stored."""

    tries: int
    photos: Mapping[int, StoredUserPhoto]


_KEY = "stream = %(stream)s AND sequence = %(sequence)s AND sent_at = %(sent_at)s"
_SETTLED = "state, subject, answer, reason, stored, failed, bytes, seconds, codes, priority"


def claim(cursor: Cursor, key: RequestKey, subject: RequestSubject) -> ClaimedRequest | SettledRequest:
    """Write that a request starts, or starts again; returns its result if it has ended already.

    The try is counted before the request is handled, so that a request that kills its process is detected.
    """
    cursor.execute(
        """
        INSERT INTO user_media_requests (stream, sequence, sent_at, header, bot_id, user_id, avatar_id, batch_id,
                                         priority, photos, state, tries, taken_at)
        VALUES (%(stream)s, %(sequence)s, %(sent_at)s, %(header)s, %(bot_id)s, %(user_id)s, %(avatar_id)s,
                %(batch_id)s, %(priority)s, %(photos)s, 'in_hand', 1, unde_now())
        ON CONFLICT (stream, sequence, sent_at) DO UPDATE
            SET tries = user_media_requests.tries + 1, taken_at = unde_now()
            WHERE user_media_requests.state = 'in_hand'
        RETURNING tries
        """,
        _key_values(key) | {name: getattr(subject, name) for name in RequestSubject.__slots__},
    )
    row = cursor.fetchone()
    if row is None:
        return _result(cursor, key)
    if row["tries"] == 1:
        return ClaimedRequest(1, {})
    cursor.execute(f"SELECT * FROM user_media_photos WHERE {_KEY}", _key_values(key))
    return ClaimedRequest(row["tries"], {one["n"]: _photo(one) for one in cursor.fetchall()})


def record_photo(cursor: Cursor, key: RequestKey, photo: StoredUserPhoto) -> bool:
    """Write that a photo is in the bucket; returns False if its user was erased meanwhile: then delete the photo.

    Changes nothing if it is repeated, or if another process ended the request.
    """
    cursor.execute(
        f"SELECT state, bot_id, user_id, avatar_id FROM user_media_requests WHERE {_KEY} FOR SHARE", _key_values(key)
    )
    request = cursor.fetchone()
    if request is None or request["state"] == "forgotten":
        return False
    if request["state"] == "in_hand":
        cursor.execute(
            """
            INSERT INTO user_media_photos (stream, sequence, sent_at, n, bot_id, user_id, avatar_id, file_id,
                                           file_unique_id, key, bytes, sha256, content_type, seconds, stored_at)
            VALUES (%(stream)s, %(sequence)s, %(sent_at)s, %(n)s, %(bot_id)s, %(user_id)s, %(avatar_id)s, %(file_id)s,
                    %(file_unique_id)s, %(key)s, %(bytes)s, %(sha256)s, %(content_type)s, %(seconds)s, unde_now())
            ON CONFLICT (stream, sequence, sent_at, n) DO NOTHING
            """,
            _key_values(key) | dict(request) | {name: getattr(photo, name) for name in StoredUserPhoto.__slots__},
        )
    return True


def settle(cursor: Cursor, key: RequestKey, settled: SettledRequest) -> SettledRequest:
    """Write the result of a request before it is sent; returns the first written result, which counts."""
    cursor.execute(
        f"""
        UPDATE user_media_requests
        SET state = %(state)s, subject = %(subject)s, answer = %(answer)s, reason = %(reason)s, stored = %(stored)s,
            failed = %(failed)s, bytes = %(bytes)s, seconds = %(seconds)s, codes = %(codes)s, settled_at = unde_now(),
            day = to_date_immutable(unde_now())
        WHERE {_KEY} AND state = 'in_hand'
        """,
        _key_values(key)
        | {name: getattr(settled, name) for name in SettledRequest.__slots__}
        | {"codes": Jsonb(dict(settled.codes))},
    )
    return settled if cursor.rowcount else _result(cursor, key)


def release(cursor: Cursor, key: RequestKey) -> None:
    """Do not count a try that ended for a reason other than the request."""
    cursor.execute(
        f"UPDATE user_media_requests SET tries = greatest(0, tries - 1) WHERE {_KEY} AND state = 'in_hand'",
        _key_values(key),
    )


def _result(cursor: Cursor, key: RequestKey) -> SettledRequest:
    cursor.execute(f"SELECT {_SETTLED} FROM user_media_requests WHERE {_KEY}", _key_values(key))
    row = cursor.fetchone()
    if row is None:  # deleted in between
        return SettledRequest("forgotten")
    return SettledRequest(**row)


def _key_values(key: RequestKey) -> dict[str, Any]:
    return {"stream": key.stream, "sequence": key.sequence, "sent_at": key.sent_at}


def _photo(row: Mapping[str, Any]) -> StoredUserPhoto:
    return StoredUserPhoto(**{name: row[name] for name in StoredUserPhoto.__slots__})
