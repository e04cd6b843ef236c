"""Builds object keys in the private bucket from untrusted ids and names (`docs/reference/object-keys.md`).

Bots and users are numbers, so the layouts cannot collide: below a bot's folder every folder name is a number, while the
app's own folders (`{user_id}/photos`, `tryon`, `saved`) are words. `bucket.py` reads and writes the objects.
"""

import re
from datetime import UTC, datetime

TRAINING_ROOT, INFERENCE_ROOT = "", "uploads/inf/"
APP_FOLDERS = ("photos", "tryon", "saved")  # below `{user_id}/`, written by the app

MAX_KEY_LENGTH = 700  # characters, all ASCII; stores accept 1,024 bytes
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}")  # a single spelling: 007 would be a different folder than 7
_AVATAR_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# A file name chosen by the sender. `photos` is the folder of generated names, and a file system cannot hold both.
_NAME = re.compile(r"(?!photos$)[A-Za-z0-9_][A-Za-z0-9._=@+,-]{0,149}")
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,180}")  # Telegram's ids: URL-safe base64, about 80 characters
_EXTENSION = re.compile(r"[a-z0-9]{1,5}")


class BadKey(ValueError):
    """An id or a name that cannot be part of a key: which one, and what is allowed."""


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

    `<file>` is `name`, or if that is empty `photos/{user_id}/{timestamp}/{file_id}.{extension}`. `at` (aware) is the
    message's timestamp, so that every delivery of a message gives the same key.
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
    """`uploads/inf/{bot_id}/{user_id}/{avatar_id}/<file>`, otherwise as `train_key`."""
    return INFERENCE_ROOT + _key(bot_id, user_id, avatar_id, name, file_id, at, extension)


def user_folders(bot_id: int | str, user_id: int | str) -> tuple[str, str]:
    """The folders with a user's photos for one bot, without a trailing slash; `BadKey`."""
    folder = f"{_number('bot_id', bot_id)}/{_number('user_id', user_id)}"
    return TRAINING_ROOT + folder, INFERENCE_ROOT + folder


def app_folders(user_id: int | str) -> tuple[str, ...]:
    """The folders with the media that the app itself stores for a user, without a trailing slash; `BadKey`."""
    return tuple(f"{_number('user_id', user_id)}/{folder}" for folder in APP_FOLDERS)


def is_number(text: str) -> bool:
    """Whether a folder name can be the id of a bot or a user."""
    return _NUMBER.fullmatch(text) is not None


def _key(
    bot_id: int | str, user_id: int | str, avatar_id: str, name: str | None, file_id: str, at: datetime, extension: str
) -> str:
    user = _number("user_id", user_id)
    name = (name or "").strip()
    if name:
        file = _matching(_NAME, "s3_key", name, "a bare name such as custom1.jpg")
    else:
        _matching(_FILE_ID, "file_id", file_id, "letters, digits, _ and - only")
        _matching(_EXTENSION, "extension", extension, "letters and digits only")
        file = f"photos/{user}/{_timestamp(at)}/{file_id}.{extension}"
    avatar = _matching(_AVATAR_ID, "avatar_id", avatar_id, "letters, digits, dots, _ and -, at most 100 characters")
    key = f"{_number('bot_id', bot_id)}/{user}/{avatar}/{file}"
    assert len(key) < MAX_KEY_LENGTH  # follows from the limits of the parts
    return key


def _number(name: str, value: int | str) -> str:
    return _matching(_NUMBER, name, str(value), "a whole number, 0 or more")


def _matching(pattern: re.Pattern[str], name: str, text: str, allowed: str) -> str:
    if not pattern.fullmatch(text):
        raise BadKey(f"{name} {text[:60]!r} cannot be part of an object key: it must be {allowed}")
    return text


def _timestamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("the timestamp has no time zone")
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"  # microseconds tell messages of the same second apart
