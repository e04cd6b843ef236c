"""User media messages: which requests are accepted, which are refused, and what results contain. Without I/O."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from unde_catalog.services.user_media import responses, schemas
from unde_catalog.services.user_media.messages import InferenceRequest, TrainRequest, stamp
from unde_catalog.services.user_media.parsing import Request, Sender, UnreadableMessage, parse
from unde_catalog.services.user_media.responses import PhotoFailed
from unde_catalog.services.user_media.subjects import QUEUES
from unde_catalog.stores.staging.user_media.media_requests import StoredUserPhoto

NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
TRAIN_QUEUE, INFERENCE_QUEUE = QUEUES

# The examples of docs/reference/messages.md.
TRAIN = {
    "header": "train",
    "photos": [
        {
            "file_id": "AgACAgIAAxkBAAIB",
            "properties": {
                "s3_key": "", "file_size": 1024000, "width": 1920, "height": 1280, "face_diagoanl": 360,
                "bboxs": "...", "num_face": 1,
            },
            "status": "ok",
            "reason": "NO_FACE|BAD_QUALITY|FACE_TOO_SMALL",
        }
    ],
    "bot_id": 12345, "user_id": 67890, "avatar_id": "avatar_abc123", "batch_id": "batch_xyz789", "priority": 5,
}  # fmt: skip
INFERENCE = {
    "header": "inf", "photo": {"file_id": "AgAC", "s3_key": "", "file_size": 1024000}, "bot_id": 1, "user_id": 2,
    "avatar_id": "a", "priority": 5,
}  # fmt: skip


def train(**changes: Any) -> TrainRequest:
    request = parse_train(TRAIN | changes)
    assert isinstance(request, TrainRequest), request
    return request


def inference(**changes: Any) -> InferenceRequest:
    request = parse("inf", json.dumps(INFERENCE | changes).encode(), 100)
    assert isinstance(request, InferenceRequest), request
    return request


def parse_train(message: Any) -> Request | UnreadableMessage:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return parse("train", body, 100)


def photo(**changes: Any) -> dict[str, Any]:
    return {"file_id": "AgAC", **changes}


def stored(n: int = 0, **changes: Any) -> StoredUserPhoto:
    values = {
        "n": n, "file_id": f"AgAC{n}", "file_unique_id": None, "key": f"1/2/a/{n}.jpg", "bytes": 1000, "sha256": "",
        "content_type": "image/jpeg", "seconds": 1.5,
    }  # fmt: skip
    return StoredUserPhoto(**(values | changes))


def test_the_documented_examples_are_accepted():
    request = train()
    assert (request.bot_id, request.user_id, request.avatar_id) == (12345, 67890, "avatar_abc123")
    assert (request.batch_id, request.priority) == ("batch_xyz789", 5)
    assert (request.photos[0].properties.face_diagonal, request.photos[0].status) == (360, "ok")
    assert inference().photo.file_id == "AgAC"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bot_id": "12345"}, {"bot_id": 12345}),
        ({"avatar_id": 7}, {"avatar_id": "7"}),
        ({"avatar_id": " a "}, {"avatar_id": "a"}),
        ({"batch_id": ""}, {"batch_id": None}),
        ({"batch_id": None}, {"batch_id": None}),
        ({"batch_id": 9}, {"batch_id": "9"}),
        ({"priority": "5"}, {"priority": 5}),
        ({"priority": "high"}, {"priority": None}),
        ({"priority": 1e300}, {"priority": None}),
        ({"priority": 2**31}, {"priority": None}),
        ({"header": " Train"}, {"header": "train"}),
        ({"version": "1.0"}, {"version": 1}),
        ({"version": "v1"}, {"version": 1}),
        ({"something": "new"}, {}),
    ],
)
def test_a_request_with_loose_types_is_accepted(changes, expected):
    request = train(**changes)
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("sent", "name", "reason", "status"),
    [
        (photo(), "", None, "ok"),
        (photo(s3_key="a.jpg"), "a.jpg", None, "ok"),
        (photo(properties={"s3_key": "b.jpg"}), "b.jpg", None, "ok"),
        (photo(s3_key="a.jpg", properties={"s3_key": "b.jpg"}), "a.jpg", None, "ok"),
        (photo(s3_key=None, properties=None), "", None, "ok"),
        (photo(properties={"file_size": "many", "width": "1920", "bboxs": [[1, 2]], "num_face": None}), "", None, "ok"),
        (photo(status="error", reason="NO_FACE"), "", "NO_FACE", "error"),
        (photo(status=" ERROR ", error_details="BAD_QUALITY"), "", "BAD_QUALITY", "error"),
        (photo(status="error", error_details={"code": "NO_FACE"}), "", '{"code": "NO_FACE"}', "error"),
        (photo(status=None, reason=""), "", None, "ok"),
    ],
)
def test_a_photo_can_be_described_in_several_ways(sent, name, reason, status):
    found = train(photos=[sent]).photos[0]
    assert (found.name, found.sender_reason, found.status) == (name, reason, status)


def test_both_spellings_of_the_face_diagonal_are_accepted():
    both = train(photos=[photo(properties={"face_diagonal": "361"}), photo(properties={"face_diagoanl": 362})])
    assert [one.properties.face_diagonal for one in both.photos] == [361, 362]


@pytest.mark.parametrize(
    ("body", "reason", "known"),
    [
        (b"", "not valid JSON", False),
        (b"\xff\xfe{}", "not valid JSON", False),
        (b"[" * 100_000, "not valid JSON", False),
        (b"[1]", "not a JSON object", False),
        (b"{}", "the header must be 'train' on this subject, it is missing", False),
        (TRAIN | {"header": "delete"}, "it is 'delete'", True),
        (TRAIN | {"header": "inf"}, "publish it on the subject for 'inf'", True),
        (TRAIN | {"header": 3}, "it is not a string", True),
        (TRAIN | {"version": 2}, "version 2 is not supported: this service reads version 1", True),
        (TRAIN | {"version": "next"}, "version", True),
        (TRAIN | {"bot_id": -1}, "bot_id", True),
        (TRAIN | {"user_id": 2**63}, "user_id", True),
        (TRAIN | {"user_id": "9" * 100_000}, "user_id", True),
        (TRAIN | {"avatar_id": ""}, "avatar_id", True),
        (TRAIN | {"avatar_id": "a\u0000b"}, "avatar_id", True),
        (TRAIN | {"batch_id": "a\nb"}, "batch_id", True),
        (TRAIN | {"photos": {}}, "photos", True),
        (TRAIN | {"photos": [{}]}, "photos.0.file_id: Field required", True),
        (TRAIN | {"photos": [photo()] * 101}, "the batch has 101 photos, the maximum is 100", True),
        (json.dumps(TRAIN).encode().replace(b"avatar_abc123", b"\\ud800"), "not valid JSON", False),
    ],
)
def test_a_refusal_names_the_field_and_never_its_value(body, reason, known):
    found = parse_train(body)
    assert isinstance(found, UnreadableMessage)
    assert reason in found.reason and len(found.reason) < 400
    assert found.sender.known is known


def test_the_sender_of_an_invalid_message_is_read_as_far_as_possible():
    found = parse_train({"header": "other", "bot_id": "5", "user_id": [], "avatar_id": 3, "photos": [1, 2]})
    assert isinstance(found, UnreadableMessage)
    assert found.sender == Sender("other", 5, None, "3", None)
    settled = responses.unreadable(found, TRAIN_QUEUE, NOW)
    assert settled.answer is not None and json.loads(settled.answer) == {
        "header": "other", "bot_id": 5, "user_id": None, "avatar_id": "3", "error": found.reason,
        "error_code": "UNEXPECTED_ERROR", "failed_files": [], "timestamp": "2026-11-01T12:30:00.000Z",
    }  # fmt: skip
    assert (settled.state, settled.reason) == ("dead", found.reason)


def test_an_error_names_the_files_that_its_message_lists():
    photos = [{"file_id": "A1"}, {"file_id": 5}, {"file_id": "\x00"}, "no object", {"file_id": "A2"}]
    found = parse_train({"header": "train", "bot_id": 5, "photos": photos})
    assert isinstance(found, UnreadableMessage) and found.files == 5
    settled = responses.unreadable(found, TRAIN_QUEUE, NOW)
    assert settled.answer is not None and json.loads(settled.answer)["failed_files"] == ["A1", "5", "A2"]


def test_a_batch_result_has_exactly_the_documented_fields():
    request = train(photos=[photo(), photo(status="error", reason="NO_FACE"), photo()], batch_id=None)
    outcomes = [stored(0), *responses.skipped(request.photos).values(), PhotoFailed("DOWNLOAD_TIMEOUT", "late")]
    settled = responses.batch(request, outcomes, lambda key: f"https://media.example/{key}", 2.25, NOW)
    assert settled.answer is not None and json.loads(settled.answer) == {
        "header": "train", "bot_id": 12345, "user_id": 67890, "avatar_id": "avatar_abc123", "batch_id": None,
        "total_files": 3, "successful_files": 1, "failed_files": 2,
        "successful_uploads": [
            {
                "file_id": "AgAC0", "s3_key": "1/2/a/0.jpg", "s3_url": "https://media.example/1/2/a/0.jpg",
                "file_size": 1000, "upload_time": 1.5, "content_type": "image/jpeg",
            },
        ],
        "failed_uploads": [
            {
                "file_id": "AgAC", "error": "not fetched: the request gives its status as error (NO_FACE)",
                "error_code": None, "reason": "NO_FACE",
            },
            {"file_id": "AgAC", "error": "late", "error_code": "DOWNLOAD_TIMEOUT", "reason": None},
        ],
        "processing_time": 2.25, "total_size": 1000,
        "message": "Batch processing completed: 1/3 files successful", "timestamp": "2026-11-01T12:30:00.000Z",
    }  # fmt: skip
    assert settled.codes == {"NOT_FETCHED": 1, "DOWNLOAD_TIMEOUT": 1}
    assert isinstance(json.loads(settled.answer)["processing_time"], float)


def test_a_batch_with_no_stored_photo_still_has_a_result():
    settled = responses.batch(train(), [PhotoFailed("TELEGRAM_API_ERROR", "gone")], str, 1, NOW)
    assert (settled.state, settled.subject) == ("answered", "photo_upload_result")
    assert settled.answer is not None and b"completed: 0/1 files" in settled.answer


def test_an_inference_result_has_exactly_the_documented_fields():
    settled = responses.single(inference(), stored(), lambda key: f"https://media.example/{key}", 2, NOW)
    assert settled.answer is not None and json.loads(settled.answer) == {
        "header": "inf", "bot_id": 1, "user_id": 2, "avatar_id": "a",
        "upload_result": {
            "file_id": "AgAC0", "s3_key": "1/2/a/0.jpg", "s3_url": "https://media.example/1/2/a/0.jpg",
            "file_size": 1000, "upload_time": 1.5, "content_type": "image/jpeg",
        },
        "processing_time": 2.0, "message": "Photo uploaded successfully", "timestamp": "2026-11-01T12:30:00.000Z",
    }  # fmt: skip


@pytest.mark.parametrize(("temporary", "state"), [(False, "failed"), (True, "dead")])
def test_a_failed_single_photo_is_dead_only_after_a_temporary_error(temporary, state):
    failed = PhotoFailed("DOWNLOAD_TIMEOUT", "late", temporary=temporary)
    settled = responses.single(inference(), failed, str, 2, NOW)
    assert (settled.state, settled.subject) == (state, "photo_upload_error")
    assert settled.answer is not None and json.loads(settled.answer)["error_code"] == "DOWNLOAD_TIMEOUT"


def test_two_photos_of_a_batch_never_share_an_s3_key():
    photos = train(photos=[photo(file_id="A", s3_key="x.jpg"), photo(file_id="B", s3_key="x.jpg"), photo()]).photos
    assert {n: one.code for n, one in responses.skipped(photos).items()} == {1: "UNEXPECTED_ERROR"}


def test_timestamps_are_utc_with_milliseconds():
    assert stamp(datetime.fromisoformat("2026-11-01T16:30:00.123456+04:00")) == "2026-11-01T12:30:00.123Z"


def test_the_committed_schemas_match_the_models():
    kept = {file.stem: json.loads(file.read_text()) for file in schemas.FOLDER.glob("*.json")}
    assert kept == schemas.schemas(), (
        "run: unde-catalog user-media schema --out unde_catalog/services/user_media/schemas"
    )
