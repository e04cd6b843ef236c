"""The messages of people's photos (spec 4): tolerant models of what is accepted, strict ones of what is sent.

Reading bytes that may be anything is in `parsing.py`; which subject carries what, in `subjects.py`.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from unde_catalog.services.user_media.fetch_result import ErrorCode

Header = Literal["train", "inf"]
HEADERS: tuple[Header, ...] = ("train", "inf")
VERSION = 1  # senders name none; one that does must mean this one

_BIGGEST = 2**63 - 1


def _text(value: object) -> object:
    """A number where a text is wanted is that text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number_or_none(value: object) -> float | None:
    """What nobody acts on refuses no message: a size that is no number is none."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if abs(found) < _BIGGEST else None  # not NaN, which no JSON can tell


def _whole_number_or_none(value: object) -> int | None:
    found = _number_or_none(value)
    return None if found is None or abs(found) >= 2**31 else int(found)


def _words(value: object) -> str | None:
    """Whatever stands where words are wanted, as words; empty is none."""
    if value is None or isinstance(value, str):
        return (value or "").strip()[:500] or None
    return json.dumps(value)[:500]


def _first_version(value: int | None) -> int | None:
    if value not in (None, VERSION):
        raise ValueError(f"version {value} is not known: this service reads version {VERSION}")
    return value


def _version_number(value: object) -> object:
    return value.strip().lower().removeprefix("v").removesuffix(".0") if isinstance(value, str) else value


Id = Annotated[int, Field(ge=0, le=_BIGGEST)]
Text = Annotated[
    str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f]+$")
]
Name = Annotated[str, BeforeValidator(lambda value: "" if value is None else _text(value)), Field(max_length=512)]
Sloppy = Annotated[float | None, BeforeValidator(_number_or_none)]
Words = Annotated[str | None, BeforeValidator(_words)]
Priority = Annotated[int | None, BeforeValidator(_whole_number_or_none)]
Version = Annotated[int | None, BeforeValidator(_version_number), AfterValidator(_first_version)]
Status = Annotated[Literal["ok", "error"], BeforeValidator(lambda value: "error" if _is_error(value) else "ok")]


def _is_error(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() == "error"


class _Accepted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)


class Properties(_Accepted):
    """What a sender knows of a photo. Only `s3_key` is acted on; the content says what else is true."""

    s3_key: Name = ""
    file_size: Sloppy = None
    width: Sloppy = None
    height: Sloppy = None
    face_diagonal: Sloppy = Field(
        None,
        validation_alias=AliasChoices("face_diagoanl", "face_diagonal"),
        description="senders misspell it; `face_diagonal` is accepted, too",
    )
    bboxs: Any = None
    num_face: Sloppy = None


class _Photo(_Accepted):
    file_id: Text
    s3_key: Name = Field("", description="a bare file name; may stand in `properties` instead")
    properties: Annotated[Properties, BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=lambda: Properties.model_validate({})
    )

    @property
    def name(self) -> str:
        """The bare name the sender wants; "" for none."""
        return self.s3_key or self.properties.s3_key


class TrainPhoto(_Photo):
    """A photo of a batch; one whose status is `error` is not fetched, and is reported with its reason."""

    status: Status = "ok"
    reason: Words = None
    error_details: Words = Field(None, description="accepted in place of `reason`")

    @property
    def told(self) -> str | None:
        """Why the sender says it is no good."""
        return self.reason or self.error_details


class InferencePhoto(_Photo):
    """The one photo of an inference request."""

    file_size: Sloppy = None


class _Request(_Accepted):
    bot_id: Id
    user_id: Id
    avatar_id: Text
    priority: Priority = Field(None, description="carried through; JetStream has none")
    version: Version = None


class TrainRequest(_Request):
    """A batch of photos, on `photo_upload_train`."""

    header: Literal["train"]
    photos: list[TrainPhoto]
    batch_id: Annotated[Text | None, BeforeValidator(lambda value: value if value != "" else None)] = None


class InferenceRequest(_Request):
    """One photo that somebody waits for, on `photo_upload_inf`."""

    header: Literal["inf"]
    photo: InferencePhoto


Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def body(self) -> bytes:
        """The message as it goes out: JSON in UTF-8."""
        return self.model_dump_json().encode()


class Upload(_Sent):
    """A stored photo. `s3_key`: the whole key; `upload_time`: seconds from the first request to the store's word."""

    file_id: str
    s3_key: str
    s3_url: str
    file_size: Count
    upload_time: Seconds
    content_type: str


class FailedUpload(_Sent):
    """A photo that is not stored. `reason` is the sender's own word for one that was not fetched at all."""

    file_id: str
    error: str
    error_code: ErrorCode | None
    reason: str | None


class BatchResult(_Sent):
    """The answer to a batch, on `photo_upload_result`, however many of its photos are stored."""

    header: Literal["train"] = "train"
    bot_id: int
    user_id: int
    avatar_id: str
    batch_id: str | None
    total_files: Count
    successful_files: Count
    failed_files: Count
    successful_uploads: list[Upload]
    failed_uploads: list[FailedUpload]
    processing_time: Seconds
    total_size: Count
    message: str
    timestamp: Timestamp


class InferenceResult(_Sent):
    """The answer to a single photo that is stored, on `inference_result`."""

    header: Literal["inf"] = "inf"
    bot_id: int
    user_id: int
    avatar_id: str
    upload_result: Upload
    processing_time: Seconds
    message: str
    timestamp: Timestamp


class UploadError(_Sent):
    """The answer to a request that failed as a whole, on `photo_upload_error`; null is what could not be read of it."""

    header: str | None
    bot_id: int | None
    user_id: int | None
    avatar_id: str | None
    batch_id: str | None
    error: str
    error_code: ErrorCode
    failed_files: Count
    timestamp: Timestamp


def stamp(at: datetime) -> str:
    """A time as messages tell it: ISO 8601, UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
