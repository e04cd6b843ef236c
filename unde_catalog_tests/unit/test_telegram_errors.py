import io
import json
from typing import Any

import pytest
from PIL import Image

from unde_catalog.services.user_media.content import image_type
from unde_catalog.services.user_media.telegram_errors import FilePath, TelegramError, of_content, of_file, of_get_file
from unde_catalog.stages.photos.decode import Refused


def parsed(status: int, body: Any, headers: dict[str, str] | None = None) -> FilePath | TelegramError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_get_file(status, data, headers or {})


def file_info(**result: Any) -> FilePath | TelegramError:
    return parsed(200, {"ok": True, "result": {"file_id": "x", **result}})


def refusal(code: int, description: str, **more: Any) -> TelegramError:
    error = parsed(code, {"ok": False, "error_code": code, "description": description, **more})
    assert isinstance(error, TelegramError)
    return error


def test_a_file_has_a_path_and_optionally_a_size_and_an_id() -> None:
    assert file_info(file_path="photos/file_1.jpg", file_size=3, file_unique_id="u") == FilePath(
        "photos/file_1.jpg", 3, "u"
    )
    assert file_info(file_path="documents/a (1).png") == FilePath("documents/a (1).png", None, None)
    assert file_info(file_path="f", file_size="3", file_unique_id=7) == FilePath("f", None, None)
    assert file_info(file_path="f", file_size=True, file_unique_id="") == FilePath("f", None, None)


@pytest.mark.parametrize("path", [None, ""])
def test_a_missing_path_is_a_temporary_error(path: str | None) -> None:
    assert file_info(file_path=path) == TelegramError(
        "INVALID_TELEGRAM_URL", "Telegram returned no path for the file", retry=True, temporary=True
    )


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/telegram-bot-api/1:a/photos/file_0.jpg",
        "/" + "folder/" * 100 + "file_0.jpg",
        "C:/bot/photos/file_0.jpg",
        "C:\\bot\\1~a\\photos\\file_0.jpg",
        "\\\\server\\bot\\photos\\file_0.jpg",
    ],
)
def test_a_path_on_the_servers_disk_names_the_local_mode(path: str) -> None:
    error = file_info(file_path=path)
    assert isinstance(error, TelegramError) and not error.retry and not error.temporary
    assert "local mode" in error.detail and "start it without --local" in error.detail and path not in error.detail


def test_a_file_may_have_twenty_mebibytes() -> None:
    body = io.BytesIO()
    Image.new("RGB", (64, 64)).save(body, "JPEG")
    photo = body.getvalue()
    padded = photo[:-2] + b"\0" * (20 * 1024 * 1024 - len(photo)) + photo[-2:]
    assert len(padded) == 20_971_520
    assert not isinstance(image_type(padded), Refused)
    assert isinstance(image_type(padded + b"\0"), Refused)


@pytest.mark.parametrize(
    "path", ["../x", "a/../x", "/etc/passwd", "//host/x", "a//b", ".", "a\\b", "a\nb", "a\0", "x" * 501, 5, ["a"], {}]
)
def test_an_invalid_path_is_a_permanent_error(path: object) -> None:
    error = file_info(file_path=path)
    assert isinstance(error, TelegramError)
    assert (error.code, error.retry, error.temporary) == ("INVALID_TELEGRAM_URL", False, False)


@pytest.mark.parametrize(
    ("code", "description", "retry", "temporary"),
    [
        (400, "Bad Request: invalid file_id", False, False),
        (400, "Bad Request: wrong file_id or the file is temporarily unavailable", True, True),
        (400, "Bad Request: file is too big", False, False),
        (400, "", False, False),
        (401, "Unauthorized", False, True),
        (403, "Forbidden", False, True),
        (404, "Not Found", False, True),
        (500, "Internal Server Error", True, True),
        (502, "Bad Gateway", True, True),
    ],
)
def test_a_refusal_is_permanent_or_temporary(code: int, description: str, retry: bool, temporary: bool) -> None:
    error = refusal(code, description)
    assert (error.code, error.retry, error.temporary) == ("TELEGRAM_API_ERROR", retry, temporary)


@pytest.mark.parametrize(
    ("parameters", "headers", "pause"),
    [
        ({"retry_after": 8}, {}, 8),
        ({"retry_after": 8}, {"Retry-After": "3"}, 8),
        ({"retry_after": 0}, {}, 1),
        ({"retry_after": -5}, {}, 5),
        ({"retry_after": "soon"}, {"Retry-After": "3"}, 3),
        ({"retry_after": True}, {}, 5),
        ({}, {"Retry-After": "Tue, 14 Nov 2023 22:15:20 GMT"}, 5),
        (None, {}, 5),
        ([1], {}, 5),
    ],
)
def test_a_429_is_a_pause_of_at_least_one_second(parameters: object, headers: dict[str, str], pause: float) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters}
    error = parsed(429, body, headers)
    assert isinstance(error, TelegramError)
    assert (error.code, error.retry, error.temporary, error.pause) == ("TELEGRAM_API_ERROR", True, True, pause)
    download = of_file(429, headers, json.dumps(body).encode())
    assert download is not None
    assert (download.code, download.retry, download.pause) == ("DOWNLOAD_HTTP_ERROR", True, pause)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize(("status", "retry"), [(200, True), (502, True), (429, True), (302, False), (404, False)])
def test_a_response_without_a_json_object_is_temporary(body: bytes, status: int, retry: bool) -> None:
    error = parsed(status, body)
    assert isinstance(error, TelegramError)
    assert (error.code, error.retry, error.temporary) == ("TELEGRAM_API_ERROR", retry, True)
    assert (error.pause is not None) == (status == 429)


@pytest.mark.parametrize(
    "body", [{}, {"ok": True}, {"ok": True, "result": []}, {"ok": 1, "result": {"file_path": "x"}}]
)
def test_json_without_a_path_or_an_error_is_retried(body: object) -> None:
    error = parsed(200, body)
    assert isinstance(error, TelegramError)
    assert (error.code, error.retry) == ("TELEGRAM_API_ERROR", True)


@pytest.mark.parametrize(
    ("status", "code", "retry", "temporary", "expired"),
    [
        (404, "DOWNLOAD_HTTP_ERROR", True, True, True),
        (410, "DOWNLOAD_HTTP_ERROR", True, True, True),
        (400, "DOWNLOAD_HTTP_ERROR", False, False, False),
        (403, "DOWNLOAD_HTTP_ERROR", False, False, False),
        (500, "DOWNLOAD_HTTP_ERROR", True, True, False),
        (503, "DOWNLOAD_HTTP_ERROR", True, True, False),
        (204, "DOWNLOAD_HTTP_ERROR", True, True, False),
        (206, "DOWNLOAD_HTTP_ERROR", True, True, False),
        (301, "INVALID_TELEGRAM_URL", False, False, False),
        (307, "INVALID_TELEGRAM_URL", False, False, False),
    ],
)
def test_the_status_of_a_download_decides_about_retries(
    status: int, code: str, retry: bool, temporary: bool, expired: bool
) -> None:
    error = of_file(status, {})
    assert error is not None
    assert (error.code, error.retry, error.temporary, error.expired) == (code, retry, temporary, expired)


def test_a_body_is_read_unless_it_is_compressed() -> None:
    assert of_file(200, {}) is None
    assert of_file(200, {"Content-Encoding": "identity"}) is None
    compressed = of_file(200, {"Content-Encoding": "gzip"})
    assert compressed is not None
    assert compressed.retry


def test_a_broken_image_of_the_announced_size_is_a_permanent_error() -> None:
    cut = Refused("truncated", "JPEG: the end is missing")
    assert of_content(cut, 100, 200).retry
    assert of_content(cut, 100, None).retry
    complete = of_content(cut, 100, 100)
    assert (complete.code, complete.retry, complete.temporary) == ("UNEXPECTED_ERROR", False, False)
    assert not of_content(Refused("unsupported_format", "JPEG XL is not read"), 100, 200).retry


def test_telegrams_description_is_shortened_and_printable() -> None:
    detail = refusal(400, "x\n\x1b[31m" + "y" * 10_000).detail
    assert detail.isprintable()
    assert len(detail) < 300
