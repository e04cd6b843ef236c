"""Where a person's photos lie in the private bucket (spec 4), whatever strangers send as ids and names.

Bots and people are numbers, so no key of one layout can be taken for one of another: a bot's folder holds folders with
numbers for names, and the app's own folders (`{user_id}/photos`, `tryon`, `saved`) have words there.
"""

import re
from datetime import UTC, datetime

TRAINING_ROOT, INFERENCE_ROOT = "", "uploads/inf/"
APP_FOLDERS = ("photos", "tryon", "saved")  # below `{user_id}/`, the app's own

LONGEST_KEY = 700  # characters; stores take 1,024 bytes, and all that is allowed here has one byte
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")  # one spelling for each: 007 would be another folder than 7
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # an avatar's id
# A file's name as the sender wants it; `photos` is the folder of those without one, and a disk can't have both.
_NAME = re.compile(r"(?!photos$)[A-Za-z0-9_][A-Za-z0-9._=@+,-]{0,149}")
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,180}")  # as Telegram makes them (base64 for URLs), about 80 characters
_EXTENSION = re.compile(r"[a-z0-9]{1,5}")


class BadKey(ValueError):
    """An id or a name that can't be part of a key: which one, and what it wants."""


def train_key(
    bot_id: int | str,
    user_id: int | str,
    avatar_id: str,
    name: str | None,
    *,
    file_id: str,
    at: datetime,
    extension: str,
) -> str:
    """`{bot_id}/{user_id}/{avatar_id}/<file>`; `BadKey` for a part that would leave its folder.

    `<file>` is `name`, or where that is empty `photos/{user_id}/{timestamp}/{file_id}.{extension}`; `at` (aware) is the
    message's time, so that the same message always gives the same key.
    """
    return TRAINING_ROOT + _key(bot_id, user_id, avatar_id, name, file_id, at, extension)


def inference_key(
    bot_id: int | str,
    user_id: int | str,
    avatar_id: str,
    name: str | None,
    *,
    file_id: str,
    at: datetime,
    extension: str,
) -> str:
    """`uploads/inf/{bot_id}/{user_id}/{avatar_id}/<file>`, else as `train_key`."""
    return INFERENCE_ROOT + _key(bot_id, user_id, avatar_id, name, file_id, at, extension)


def person_folders(bot_id: int | str, user_id: int | str) -> tuple[str, str]:
    """The folders that hold a person's photos for one bot, without a slash at the end; `BadKey`."""
    person = f"{_number('bot_id', bot_id)}/{_number('user_id', user_id)}"
    return TRAINING_ROOT + person, INFERENCE_ROOT + person


def app_folders(user_id: int | str) -> tuple[str, ...]:
    """The folders of the app's own media of a person, without a slash at the end; `BadKey`."""
    return tuple(f"{_number('user_id', user_id)}/{folder}" for folder in APP_FOLDERS)


def is_number(text: str) -> bool:
    """Whether a folder's name may be that of a bot or a person."""
    return _NUMBER.fullmatch(text) is not None


def _key(
    bot_id: int | str, user_id: int | str, avatar_id: str, name: str | None, file_id: str, at: datetime, extension: str
) -> str:
    user = _number("user_id", user_id)
    name = (name or "").strip()
    if name:
        file = _matching(_NAME, "s3_key", name, "a bare name such as custom1.jpg")
    else:
        _matching(_FILE_ID, "file_id", file_id, "letters, digits, _ and -")
        _matching(_EXTENSION, "extension", extension, "letters and digits")
        file = f"photos/{user}/{_timestamp(at)}/{file_id}.{extension}"
    avatar = _matching(_WORD, "avatar_id", avatar_id, "letters, digits, dots, _ and -, at most 100")
    key = f"{_number('bot_id', bot_id)}/{user}/{avatar}/{file}"
    assert len(key) < LONGEST_KEY  # follows from the limits of its parts
    return key


def _number(what: str, value: int | str) -> str:
    return _matching(_NUMBER, what, str(value), "a whole number, 0 or more")


def _matching(pattern: re.Pattern[str], what: str, text: str, wants: str) -> str:
    if not pattern.fullmatch(text):
        raise BadKey(f"{what} {text[:60]!r} can't be part of a key: wants {wants}")
    return text


def _timestamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a moment without its time zone")
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"  # to the microsecond: two messages of a second differ
