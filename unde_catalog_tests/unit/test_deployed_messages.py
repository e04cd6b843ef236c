"""The messages of user media against those that consumers read today, where these lie beside the project."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from unde_catalog.services.user_media import responses
from unde_catalog.services.user_media.messages import InferenceRequest, TrainRequest
from unde_catalog.services.user_media.parsing import parse
from unde_catalog.services.user_media.responses import PhotoFailed
from unde_catalog.stores.staging.user_media.media_requests import StoredUserPhoto
from unde_catalog_tests.support.servers import REAL_DATA

NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)


def sample(name: str) -> bytes:
    file = REAL_DATA / "deployed" / "messages" / f"{name}.json"
    if not file.is_file():
        pytest.skip(f"there is no {file}: this test wants the messages as they were deployed")
    return file.read_bytes()


def shape(value: Any) -> Any:
    """Names and types of a message; a list has the shape of its first element."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def url(key: str) -> str:
    return f"https://media.example/{key}"


def stored(file_id: str) -> StoredUserPhoto:
    return StoredUserPhoto(0, file_id, None, f"1/2/a/{file_id}.jpg", 1000, "", "image/jpeg", 2.5)


def test_a_deployed_batch_is_answered_in_the_deployed_shape() -> None:
    request = parse("train", sample("train_request"), 100)
    assert isinstance(request, TrainRequest) and len(request.photos) == 2
    assert responses.skipped(request.photos) == {}  # "ok/error" names the values and is none of them
    settled = responses.batch(request, [stored(one.file_id) for one in request.photos], url, 5.2, NOW)
    assert settled.answer is not None
    assert shape(json.loads(settled.answer)) == shape(json.loads(sample("train_result")))


def test_a_deployed_photo_is_answered_in_the_deployed_shape() -> None:
    request = parse("inf", sample("inference_request"), 100)
    assert isinstance(request, InferenceRequest)
    settled = responses.single(request, stored(request.photo.file_id), url, 2.1, NOW)
    assert settled.answer is not None
    assert shape(json.loads(settled.answer)) == shape(json.loads(sample("inference_result")))


def test_a_failure_is_reported_in_the_deployed_shape() -> None:
    request = parse("inf", sample("inference_request"), 100)
    assert isinstance(request, InferenceRequest)
    failed = PhotoFailed("DOWNLOAD_HTTP_ERROR", "Download failed")
    settled = responses.single(request, failed, url, 2.1, NOW)
    assert settled.answer is not None
    told, deployed = json.loads(settled.answer), json.loads(sample("error"))
    assert shape(told) == shape(deployed)
    assert (told["failed_files"], told["error"]) == (deployed["failed_files"], deployed["error"])
