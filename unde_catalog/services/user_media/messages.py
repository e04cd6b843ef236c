"""The messages of user media: tolerant models of requests, strict models of results (`docs/reference/messages.md`).

`parsing.py` reads untrusted bytes; `subjects.py` says which subject carries which message.
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
VERSION = 1  # senders usually omit it; any other version is refused

_MAX_ID = 2**63 - 1


def _text(value: object) -> object:
    """Accept a number as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number_or_none(value: object) -> float | None:
    """A number, else None: an invalid size must not reject a message, because nothing depends on it."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < _MAX_ID else None  # excludes NaN, which JSON cannot represent


def _whole_number_or_none(value: object) -> int | None:
    number = _number_or_none(value)
    return None if number is None or abs(number) >= 2**31 else int(number)


def _text_or_none(value: object) -> str | None:
    """Any value as text of at most 500 characters; empty is None."""
    if value is None or isinstance(value, str):
        return (value or "").strip()[:500] or None
    return json.dumps(value)[:500]


def _first_version(value: int | None) -> int | None:
    if value not in (None, VERSION):
        raise ValueError(f"version {value} is not supported: this service reads version {VERSION}")
    return value


def _version_number(value: object) -> object:
    return value.strip().lower().removeprefix("v").removesuffix(".0") if isinstance(value, str) else value


Id = Annotated[int, Field(ge=0, le=_MAX_ID)]
Text = Annotated[
    str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f]+$")
]
Name = Annotated[str, BeforeValidator(lambda value: "" if value is None else _text(value)), Field(max_length=512)]
LenientNumber = Annotated[float | None, BeforeValidator(_number_or_none)]
LenientText = Annotated[str | None, BeforeValidator(_text_or_none)]
Priority = Annotated[int | None, BeforeValidator(_whole_number_or_none)]
Version = Annotated[int | None, BeforeValidator(_version_number), AfterValidator(_first_version)]
Status = Annotated[Literal["ok", "error"], BeforeValidator(lambda value: "error" if _is_error(value) else "ok")]


def _is_error(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() == "error"


class _Accepted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)


class Properties(_Accepted):
    """What the sender says about a photo. The service uses only `s3_key` and takes the rest from the content."""

    s3_key: Name = ""
    file_size: LenientNumber = None
    width: LenientNumber = None
    height: LenientNumber = None
    face_diagonal: LenientNumber = Field(
        None,
        validation_alias=AliasChoices("face_diagoanl", "face_diagonal"),
        description="the name that senders use; `face_diagonal` is accepted as well",
    )
    bboxs: Any = None
    num_face: LenientNumber = None


class _Photo(_Accepted):
    file_id: Text
    s3_key: Name = Field("", description="a bare file name; may be in `properties` instead")
    properties: Annotated[Properties, BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=lambda: Properties.model_validate({})
    )

    @property
    def name(self) -> str:
        """The file name the sender chose; "" for none."""
        return self.s3_key or self.properties.s3_key


class TrainPhoto(_Photo):
    """A photo of a batch. A photo with the status `error` is not fetched; the result reports it with its reason."""

    status: Status = "ok"
    reason: LenientText = None
    error_details: LenientText = Field(None, description="accepted instead of `reason`")

    @property
    def sender_reason(self) -> str | None:
        """Why the sender rejected the photo."""
        return self.reason or self.error_details


class InferencePhoto(_Photo):
    """The one photo of an inference request."""

    file_size: LenientNumber = None


class _Request(_Accepted):
    bot_id: Id
    user_id: Id
    avatar_id: Text
    priority: Priority = Field(
        None, description="returned in the header Unde-Priority; the order of processing ignores it"
    )
    version: Version = None


class TrainRequest(_Request):
    """A batch of photos, on `photo_upload_train`."""

    header: Literal["train"]
    photos: list[TrainPhoto]
    batch_id: Annotated[Text | None, BeforeValidator(lambda value: value if value != "" else None)] = None


class InferenceRequest(_Request):
    """One photo to store quickly, on `photo_upload_inf`."""

    header: Literal["inf"]
    photo: InferencePhoto


Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def body(self) -> bytes:
        """The message as JSON in UTF-8."""
        return self.model_dump_json().encode()


class Upload(_Sent):
    """A stored photo. `s3_key`: the full key. `upload_time`: seconds from the first request until it is stored."""

    file_id: str
    s3_key: str
    s3_url: str
    file_size: Count
    upload_time: Seconds
    content_type: str


class FailedUpload(_Sent):
    """A photo that is not stored. `reason`: the sender's own reason, for a photo that was not fetched at all."""

    file_id: str
    error: str
    error_code: ErrorCode | None
    reason: str | None


class BatchResult(_Sent):
    """The result of a batch, on `photo_upload_result`, also if some or all of its photos failed."""

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
    """The result of a single photo that is stored, on `inference_result`."""

    header: Literal["inf"] = "inf"
    bot_id: int
    user_id: int
    avatar_id: str
    upload_result: Upload
    processing_time: Seconds
    message: str
    timestamp: Timestamp


class UploadError(_Sent):
    """A request that failed as a whole, on `photo_upload_error`. Fields that could not be read are null.

    `failed_files` are file ids, unlike the count of the same name in `BatchResult`.
    """

    header: str | None
    bot_id: int | None
    user_id: int | None
    avatar_id: str | None
    error: str
    error_code: ErrorCode
    failed_files: list[str]
    timestamp: Timestamp


def stamp(at: datetime) -> str:
    """A timestamp as messages carry it: ISO 8601, UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
