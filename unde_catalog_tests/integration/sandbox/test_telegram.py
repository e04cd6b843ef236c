"""The sandbox's Bot API over plain HTTP, with the exact responses of Telegram."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS
from unde_catalog.sandbox.telegram.photos import content
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

BOT = f"/bot{DEFAULT_CREDENTIALS.telegram}"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_a_file_is_found_by_its_id_and_read_at_its_path(sandbox: Sandbox) -> None:
    status, response = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADliteral"})
    path = response["result"].pop("file_path")
    unique = response["result"].pop("file_unique_id")
    assert (status, response) == (
        200, {"ok": True, "result": {"file_id": "AgADliteral", "file_size": len(content("AgADliteral"))}},
    )  # fmt: skip
    assert path.startswith("photos/file_") and path.endswith(".jpg")
    assert unique.startswith("AQAD")
    assert _request(sandbox, f"/file{BOT}/{path}") == (200, content("AgADliteral"))
    assert _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADliteral"})[1]["result"]["file_path"] == path


def test_a_file_id_is_read_from_a_query_a_form_or_json(sandbox: Sandbox) -> None:
    by_form = _request(sandbox, f"{BOT}/getFile", b"file_id=AgADform", "application/x-www-form-urlencoded")
    for status, body in (_request(sandbox, f"{BOT}/getFile?file_id=AgADform"), by_form):
        assert (status, json.loads(body)["result"]["file_id"]) == (200, "AgADform")
    for body in ({}, {"file_id": 5}, {"file_id": "../x"}, {"file_id": ""}):
        assert _json(sandbox, f"{BOT}/getFile", body) == (
            400, {"ok": False, "error_code": 400, "description": "Bad Request: invalid file_id"},
        )  # fmt: skip


def test_ids_of_one_file_share_a_unique_id_and_other_files_do_not(sandbox: Sandbox) -> None:
    unique = [
        _json(sandbox, f"{BOT}/getFile", {"file_id": file_id})[1]["result"]["file_unique_id"]
        for file_id in ("AgADone", "AgADone-again", "AgADother")
    ]
    assert unique[0] == unique[1] != unique[2]
    assert content("AgADone") != content("AgADother")


@pytest.mark.parametrize(
    ("token", "code", "description"), [("123:wrong", 401, "Unauthorized"), ("nonsense", 404, "Not Found")]
)
def test_a_wrong_token_is_refused_everywhere(sandbox: Sandbox, token: str, code: int, description: str) -> None:
    error = (code, {"ok": False, "error_code": code, "description": description})
    for path in (f"/bot{token}/getMe", f"/bot{token}/getFile", f"/file/bot{token}/photos/file_1.jpg"):
        status, body = _request(sandbox, path)
        assert (status, json.loads(body)) == error


def test_get_me_names_the_bot_and_other_methods_do_not_exist(sandbox: Sandbox) -> None:
    status, response = _json(sandbox, f"{BOT}/getMe", {})
    assert (status, response["ok"], response["result"]["username"]) == (200, True, "sandbox_bot")
    assert response["result"]["id"] == int(DEFAULT_CREDENTIALS.telegram.partition(":")[0])
    assert _json(sandbox, f"{BOT}/sendMessage", {})[0] == 404
    assert _request(sandbox, f"/file{BOT}/photos/file_999999.jpg")[0] == 404  # an expired path


@pytest.mark.parametrize(
    ("fault", "status", "response"),
    [
        (
            "429-in-8", 429,
            {"error_code": 429, "description": "Too Many Requests: retry after 8", "parameters": {"retry_after": 8}},
        ),
        ("invalid-file-id", 400, {"error_code": 400, "description": "Bad Request: invalid file_id"}),
        (
            "unavailable", 400,
            {"error_code": 400, "description": "Bad Request: wrong file_id or the file is temporarily unavailable"},
        ),
        ("file-too-big", 400, {"error_code": 400, "description": "Bad Request: file is too big"}),
        ("502", 502, {"error_code": 502, "description": "Bad Gateway"}),
    ],
)  # fmt: skip
def test_refusals_have_the_format_of_telegram(
    sandbox: Sandbox, fault: str, status: int, response: dict[str, Any]
) -> None:
    sandbox.control(next_faults={"telegram.getFile": [fault]})
    assert _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADx"}) == (status, {"ok": False, **response})


@pytest.mark.parametrize(("fault", "missing"), [("no-path", "file_path"), ("no-size", "file_size")])
def test_a_field_may_be_missing(sandbox: Sandbox, fault: str, missing: str) -> None:
    sandbox.control(next_faults={"telegram.getFile": [fault]})
    status, response = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADx"})
    assert (status, missing in response["result"], response["result"]["file_id"]) == (200, False, "AgADx")


def test_a_temporary_fault_is_counted_per_file_id(sandbox: Sandbox) -> None:
    sandbox.control(faults="telegram.file:503x2=1")
    path = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADpassing"})[1]["result"]["file_path"]
    statuses = [_request(sandbox, f"/file{BOT}/{path}")[0] for _ in range(4)]
    sandbox.control(faults="")
    assert statuses == [503, 503, 200, 200]


def _json(sandbox: Sandbox, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, response = _request(sandbox, path, json.dumps(body).encode(), "application/json")
    return status, json.loads(response)


def _request(sandbox: Sandbox, path: str, body: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(sandbox.url + path, body, headers), timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
