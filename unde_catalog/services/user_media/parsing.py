"""Reads a request's bytes: a request, or why it is none and whom that is to be told.

What a well-formed request means is in `handler.py`.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from unde_catalog.services.user_media.messages import HEADERS, Header, InferenceRequest, TrainRequest

Request = TrainRequest | InferenceRequest

_MODELS: dict[Header, type[TrainRequest] | type[InferenceRequest]] = {"train": TrainRequest, "inf": InferenceRequest}


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom an answer is for, as far as it could be read."""

    header: str | None = None
    bot_id: int | None = None
    user_id: int | None = None
    avatar_id: str | None = None
    batch_id: str | None = None

    @property
    def known(self) -> bool:
        """Whether anybody could tell that an answer is for him."""
        return not (self.bot_id is None and self.user_id is None and self.avatar_id is None)


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """Bytes that are no request. `reason`: a sentence without what stood there; `files`: how many photos it names."""

    sender: Sender
    reason: str
    files: int


def read(header: Header, body: bytes, most_photos: int) -> Request | UnreadableMessage:
    """The request that a queue's subject promises, or why it is none."""
    try:
        raw = from_json(body)
    except ValueError:
        return UnreadableMessage(Sender(header), "the message is not JSON in UTF-8", 0)
    if not isinstance(raw, dict):
        return UnreadableMessage(Sender(header), "the message is no JSON object", 0)
    sender = _sender(raw)
    if isinstance(raw.get("header"), str):
        raw["header"] = raw["header"].strip().lower()
    found = raw.get("header")
    files = len(raw["photos"]) if isinstance(raw.get("photos"), list) else int("photo" in raw)
    if found != header:
        known = f"{found!r:.40}" if isinstance(found, str) else "none" if found is None else "no text"
        hint = f": send it on the subject for {found}" if found in HEADERS else ""
        return UnreadableMessage(sender, f"the header here wants to be {header!r}, it is {known}{hint}", files)
    try:
        request = _MODELS[header].model_validate(raw)
    except ValidationError as error:
        return UnreadableMessage(sender, _sentence(error), files)
    if isinstance(request, TrainRequest) and len(request.photos) > most_photos:
        return UnreadableMessage(
            sender,
            f"the batch has {len(request.photos)} photos, at the most {most_photos} are taken: send several",
            files,
        )
    return request


def _sentence(error: ValidationError) -> str:
    """The first three things that are wrong, each with its place; never what stood there."""
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(str(part) for part in one['loc'])[:80]}: {one['msg']}" for one in wrong[:3]]
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return f"the message has not the shape of its kind ({'; '.join(told)}{more})"


def _sender(raw: dict[Any, Any]) -> Sender:
    header = raw.get("header")
    return Sender(
        _short(header), _number(raw.get("bot_id")), _number(raw.get("user_id")), _short(raw.get("avatar_id")),
        _short(raw.get("batch_id")),
    )  # fmt: skip


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _short(value: object) -> str | None:
    """A text that can be kept and told; anything else is not known."""
    if type(value) is int:
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= 512 and value.isprintable() else None
