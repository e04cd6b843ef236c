"""Parses a request from untrusted bytes: a request, or the reason why there is none and who should hear about it.

`handler.py` decides what a valid request means.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from unde_catalog.services.user_media.messages import HEADERS, Header, InferenceRequest, TrainRequest

Request = TrainRequest | InferenceRequest

_MODELS: dict[Header, type[TrainRequest] | type[InferenceRequest]] = {"train": TrainRequest, "inf": InferenceRequest}
_REPORTED_ERRORS = 3
_MAX_FILE_IDS = 1_000  # of an unreadable message, so that the error fits into a message


@dataclass(frozen=True, slots=True)
class Sender:
    """The ids that tell a sender which request a result belongs to, as far as they could be read."""

    header: str | None = None
    bot_id: int | None = None
    user_id: int | None = None
    avatar_id: str | None = None
    batch_id: str | None = None

    @property
    def known(self) -> bool:
        """Whether a sender could recognize its result."""
        return not (self.bot_id is None and self.user_id is None and self.avatar_id is None)


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """Bytes that are not a request. `reason`: a sentence without any of the content.

    `files`: how many photos it lists; `file_ids`: their ids, as far as these could be read.
    """

    sender: Sender
    reason: str
    files: int = 0
    file_ids: tuple[str, ...] = ()


def parse(header: Header, body: bytes, max_photos: int) -> Request | UnreadableMessage:
    """The request with the header that belongs to the subject, or why the bytes are not one."""
    try:
        raw = from_json(body)
    except ValueError:
        return UnreadableMessage(Sender(header), "the message is not valid JSON in UTF-8")
    if not isinstance(raw, dict):
        return UnreadableMessage(Sender(header), "the message is not a JSON object")
    sender = _sender(raw)
    if isinstance(raw.get("header"), str):
        raw["header"] = raw["header"].strip().lower()
    found = raw.get("header")
    photos = raw["photos"] if isinstance(raw.get("photos"), list) else [raw["photo"]] if "photo" in raw else []
    listed = len(photos), _file_ids(photos)
    if found != header:
        actual = f"{found!r:.40}" if isinstance(found, str) else "missing" if found is None else "not a string"
        hint = f"; publish it on the subject for {found!r}" if found in HEADERS else ""
        return UnreadableMessage(
            sender, f"the header must be {header!r} on this subject, it is {actual}{hint}", *listed
        )
    try:
        request = _MODELS[header].model_validate(raw)
    except ValidationError as error:
        return UnreadableMessage(sender, _sentence(error), *listed)
    if isinstance(request, TrainRequest) and len(request.photos) > max_photos:
        return UnreadableMessage(
            sender, f"the batch has {len(request.photos)} photos, the maximum is {max_photos}: split it", *listed
        )
    return request


def _sentence(error: ValidationError) -> str:
    """The first errors with their paths, without any of the message's values."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    parts = [f"{'.'.join(str(part) for part in one['loc'])[:80]}: {one['msg']}" for one in errors[:_REPORTED_ERRORS]]
    more = f" and {len(errors) - _REPORTED_ERRORS} more" if len(errors) > _REPORTED_ERRORS else ""
    return f"the message does not match its schema ({'; '.join(parts)}{more})"


def _sender(raw: dict[Any, Any]) -> Sender:
    return Sender(
        _short_text(raw.get("header")), _id(raw.get("bot_id")), _id(raw.get("user_id")),
        _short_text(raw.get("avatar_id")), _short_text(raw.get("batch_id")),
    )  # fmt: skip


def _file_ids(photos: list[Any]) -> tuple[str, ...]:
    ids = (_short_text(photo.get("file_id")) for photo in photos[:_MAX_FILE_IDS] if isinstance(photo, dict))
    return tuple(file_id for file_id in ids if file_id is not None)


def _id(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _short_text(value: object) -> str | None:
    """A printable text of at most 512 characters, else None."""
    if type(value) is int:
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= 512 and value.isprintable() else None
