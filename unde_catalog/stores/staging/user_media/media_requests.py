"""People's photos: a row for every request taken from a stream, and one for every photo it stored.

A request is known by where it stands in its stream and since when: streams begin at 1 again when they are made anew.
What is in an answer is decided in `user_media/`; forgetting a person, in `erasure.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb

from unde_catalog.stores.db.database import Cursor

# in_hand: begun, not answered yet; answered: with a result; failed: as a whole, with an error; dead: with an error,
# where the sender could be read, and put aside; forgotten: its person is.
State = Literal["in_hand", "answered", "failed", "dead", "forgotten"]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A message's place in its stream, and the time at which the stream took it."""

    stream: str
    sequence: int
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class RequestSubject:
    """Whom and what a request is about; None is what could not be read."""

    header: str | None = None
    bot_id: int | None = None
    user_id: int | None = None
    avatar_id: str | None = None
    batch_id: str | None = None
    priority: int | None = None
    photos: int = 0


@dataclass(frozen=True, slots=True)
class StoredUserPhoto:
    """A photo that is in the bucket; `n`: its place in its request, from 0, `seconds`: what it took."""

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
    """How a request ended. `subject` and `answer` are None where there is nobody to tell; `reason` is of the dead."""

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
    """A request in hand: which try this is, from 1, and the photos that earlier ones stored."""

    tries: int
    photos: Mapping[int, StoredUserPhoto]


_PLACE = "stream = %(stream)s AND sequence = %(sequence)s AND sent_at = %(sent_at)s"
_SETTLED = "state, subject, answer, reason, stored, failed, bytes, seconds, codes, priority"


def take(cursor: Cursor, key: RequestKey, about: RequestSubject) -> ClaimedRequest | SettledRequest:
    """Write that a request is begun, or begun again; how it ended, where it has.

    Counted before it is handled, so that one which kills its process is known by its tries.
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
        _place(key) | {name: getattr(about, name) for name in RequestSubject.__slots__},
    )
    row = cursor.fetchone()
    if row is None:
        return _ended(cursor, key)
    if row["tries"] == 1:
        return ClaimedRequest(1, {})
    cursor.execute(f"SELECT * FROM user_media_photos WHERE {_PLACE}", _place(key))
    return ClaimedRequest(row["tries"], {one["n"]: _photo(one) for one in cursor.fetchall()})


def photo_stored(cursor: Cursor, key: RequestKey, photo: StoredUserPhoto) -> bool:
    """Write that a photo of a request is in the bucket; False where its person was forgotten meanwhile: take it away.

    Again, it changes nothing, and so it does where another process ended the request.
    """
    cursor.execute(
        f"SELECT state, bot_id, user_id, avatar_id FROM user_media_requests WHERE {_PLACE} FOR SHARE", _place(key)
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
            _place(key) | dict(request) | {name: getattr(photo, name) for name in StoredUserPhoto.__slots__},
        )
    return True


def settle(cursor: Cursor, key: RequestKey, settled: SettledRequest) -> SettledRequest:
    """Write how a request ended, before anybody is told; what counts, which is what another one wrote before."""
    cursor.execute(
        f"""
        UPDATE user_media_requests
        SET state = %(state)s, subject = %(subject)s, answer = %(answer)s, reason = %(reason)s, stored = %(stored)s,
            failed = %(failed)s, bytes = %(bytes)s, seconds = %(seconds)s, codes = %(codes)s, settled_at = unde_now(),
            day = to_date_immutable(unde_now())
        WHERE {_PLACE} AND state = 'in_hand'
        """,
        _place(key)
        | {name: getattr(settled, name) for name in SettledRequest.__slots__}
        | {"codes": Jsonb(dict(settled.codes))},
    )
    return settled if cursor.rowcount else _ended(cursor, key)


def release(cursor: Cursor, key: RequestKey) -> None:
    """Write that a try does not count: it was ended by us, not by the request."""
    cursor.execute(
        f"UPDATE user_media_requests SET tries = greatest(0, tries - 1) WHERE {_PLACE} AND state = 'in_hand'",
        _place(key),
    )


def _ended(cursor: Cursor, key: RequestKey) -> SettledRequest:
    cursor.execute(f"SELECT {_SETTLED} FROM user_media_requests WHERE {_PLACE}", _place(key))
    row = cursor.fetchone()
    if row is None:  # deleted in between
        return SettledRequest("forgotten")
    return SettledRequest(**row)


def _place(key: RequestKey) -> dict[str, Any]:
    return {"stream": key.stream, "sequence": key.sequence, "sent_at": key.sent_at}


def _photo(row: Mapping[str, Any]) -> StoredUserPhoto:
    return StoredUserPhoto(**{name: row[name] for name in StoredUserPhoto.__slots__})
