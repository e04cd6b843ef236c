import json
from typing import Any

import pytest

from unde_catalog.services.user_media.telegram_errors import FilePath, TelegramError, of_content, of_file, of_get_file
from unde_catalog.stages.photos.decode import Refused


def answered(status: int, body: Any, headers: dict[str, str] | None = None) -> FilePath | TelegramError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_get_file(status, data, headers or {})


def found(**result: Any) -> FilePath | TelegramError:
    return answered(200, {"ok": True, "result": {"file_id": "x", **result}})


def refused(code: int, description: str, **more: Any) -> TelegramError:
    answer = answered(code, {"ok": False, "error_code": code, "description": description, **more})
    assert isinstance(answer, TelegramError)
    return answer


def test_a_file_is_known_by_its_path_and_what_else_is_told_of_it() -> None:
    assert found(file_path="photos/file_1.jpg", file_size=3, file_unique_id="u") == FilePath(
        "photos/file_1.jpg", 3, "u"
    )
    assert found(file_path="documents/a (1).png") == FilePath("documents/a (1).png", None, None)
    assert found(file_path="f", file_size="3", file_unique_id=7) == FilePath("f", None, None)
    assert found(file_path="f", file_size=True, file_unique_id="") == FilePath("f", None, None)


@pytest.mark.parametrize("path", [None, ""])
def test_a_file_without_a_path_may_have_one_later(path: str | None) -> None:
    assert found(file_path=path) == TelegramError(
        "INVALID_TELEGRAM_URL", "Telegram names no path for the file", repeat=True, again=True
    )


@pytest.mark.parametrize(
    "path", ["../x", "a/../x", "/etc/passwd", "//host/x", "a//b", ".", "a\\b", "a\nb", "a\0", "x" * 501, 5, ["a"], {}]
)
def test_a_path_that_is_none_is_final(path: object) -> None:
    trouble = found(file_path=path)
    assert isinstance(trouble, TelegramError)
    assert (trouble.code, trouble.repeat, trouble.again) == ("INVALID_TELEGRAM_URL", False, False)


@pytest.mark.parametrize(
    ("code", "description", "repeat", "again"),
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
def test_what_telegram_refuses_is_final_or_passes(code: int, description: str, repeat: bool, again: bool) -> None:
    trouble = refused(code, description)
    assert (trouble.code, trouble.repeat, trouble.again) == ("TELEGRAM_API_ERROR", repeat, again)


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
def test_a_429_is_a_pause_of_at_least_a_second(parameters: object, headers: dict[str, str], pause: float) -> None:
    said = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters}
    trouble = answered(429, said, headers)
    assert isinstance(trouble, TelegramError)
    assert (trouble.code, trouble.repeat, trouble.again, trouble.pause) == ("TELEGRAM_API_ERROR", True, True, pause)
    of_the_file = of_file(429, headers, json.dumps(said).encode())
    assert of_the_file is not None
    assert (of_the_file.code, of_the_file.repeat, of_the_file.pause) == ("DOWNLOAD_HTTP_ERROR", True, pause)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize(("status", "repeat"), [(200, True), (502, True), (429, True), (302, False), (404, False)])
def test_what_is_no_json_object_is_a_fault_of_the_far_side(body: bytes, status: int, repeat: bool) -> None:
    trouble = answered(status, body)
    assert isinstance(trouble, TelegramError)
    assert (trouble.code, trouble.repeat, trouble.again) == ("TELEGRAM_API_ERROR", repeat, True)
    assert (trouble.pause is not None) == (status == 429)


@pytest.mark.parametrize(
    "body", [{}, {"ok": True}, {"ok": True, "result": []}, {"ok": 1, "result": {"file_path": "x"}}]
)
def test_json_that_says_neither_passes(body: object) -> None:
    trouble = answered(200, body)
    assert isinstance(trouble, TelegramError)
    assert (trouble.code, trouble.repeat) == ("TELEGRAM_API_ERROR", True)


@pytest.mark.parametrize(
    ("status", "code", "repeat", "again", "expired"),
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
def test_a_files_status_says_whether_another_try_helps(
    status: int, code: str, repeat: bool, again: bool, expired: bool
) -> None:
    trouble = of_file(status, {})
    assert trouble is not None
    assert (trouble.code, trouble.repeat, trouble.again, trouble.expired) == (code, repeat, again, expired)


def test_a_body_is_read_unless_it_is_packed() -> None:
    assert of_file(200, {}) is None
    assert of_file(200, {"Content-Encoding": "identity"}) is None
    packed = of_file(200, {"Content-Encoding": "gzip"})
    assert packed is not None
    assert packed.repeat


def test_a_broken_image_of_the_files_own_size_was_sent_so() -> None:
    cut = Refused("truncated", "JPEG: the end is missing")
    assert of_content(cut, 100, 200).repeat
    assert of_content(cut, 100, None).repeat
    sent_so = of_content(cut, 100, 100)
    assert (sent_so.code, sent_so.repeat, sent_so.again) == ("UNEXPECTED_ERROR", False, False)
    assert not of_content(Refused("unsupported_format", "HEIF is not read"), 100, 200).repeat


def test_what_telegram_says_is_told_in_few_printable_words() -> None:
    detail = refused(400, "x\n\x1b[31m" + "y" * 10_000).detail
    assert detail.isprintable()
    assert len(detail) < 300
