"""The sandbox's Bot API over plain HTTP: the literal answers of spec 6."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from unde_catalog.sandbox.identity import TELEGRAM_TOKEN
from unde_catalog.sandbox.telegram.photos import content
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

BOT = f"/bot{TELEGRAM_TOKEN}"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_a_file_is_found_by_its_id_and_read_at_its_path(sandbox: Sandbox) -> None:
    status, said = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADliteral"})
    path = said["result"].pop("file_path")
    unique = said["result"].pop("file_unique_id")
    assert (status, said) == (
        200, {"ok": True, "result": {"file_id": "AgADliteral", "file_size": len(content("AgADliteral"))}},
    )  # fmt: skip
    assert path.startswith("photos/file_") and path.endswith(".jpg")
    assert unique.startswith("AQAD")
    assert _asked(sandbox, f"/file{BOT}/{path}") == (200, content("AgADliteral"))
    assert _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADliteral"})[1]["result"]["file_path"] == path


def test_a_file_id_is_read_from_a_query_a_form_or_json(sandbox: Sandbox) -> None:
    by_form = _asked(sandbox, f"{BOT}/getFile", b"file_id=AgADform", "application/x-www-form-urlencoded")
    for status, body in (_asked(sandbox, f"{BOT}/getFile?file_id=AgADform"), by_form):
        assert (status, json.loads(body)["result"]["file_id"]) == (200, "AgADform")
    for body in ({}, {"file_id": 5}, {"file_id": "../x"}, {"file_id": ""}):
        assert _json(sandbox, f"{BOT}/getFile", body) == (
            400, {"ok": False, "error_code": 400, "description": "Bad Request: invalid file_id"},
        )  # fmt: skip


def test_two_ids_of_one_file_have_the_same_unique_id_and_another_file_another(sandbox: Sandbox) -> None:
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
    refused = (code, {"ok": False, "error_code": code, "description": description})
    for path in (f"/bot{token}/getMe", f"/bot{token}/getFile", f"/file/bot{token}/photos/file_1.jpg"):
        status, body = _asked(sandbox, path)
        assert (status, json.loads(body)) == refused


def test_who_the_bot_is_and_what_is_not_played(sandbox: Sandbox) -> None:
    status, said = _json(sandbox, f"{BOT}/getMe", {})
    assert (status, said["ok"], said["result"]["username"]) == (200, True, "sandbox_bot")
    assert said["result"]["id"] == int(TELEGRAM_TOKEN.partition(":")[0])
    assert _json(sandbox, f"{BOT}/sendMessage", {})[0] == 404
    assert _asked(sandbox, f"/file{BOT}/photos/file_999999.jpg")[0] == 404  # a path that has expired


@pytest.mark.parametrize(
    ("fault", "status", "answer"),
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
def test_a_refusal_is_told_as_the_real_one_does(
    sandbox: Sandbox, fault: str, status: int, answer: dict[str, Any]
) -> None:
    sandbox.control(next_faults={"telegram.getFile": [fault]})
    assert _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADx"}) == (status, {"ok": False, **answer})


@pytest.mark.parametrize(("fault", "missing"), [("no-path", "file_path"), ("no-size", "file_size")])
def test_a_field_may_be_missing(sandbox: Sandbox, fault: str, missing: str) -> None:
    sandbox.control(next_faults={"telegram.getFile": [fault]})
    status, said = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADx"})
    assert (status, missing in said["result"], said["result"]["file_id"]) == (200, False, "AgADx")


def test_a_passing_fault_strikes_a_file_id_so_often_whatever_its_path(sandbox: Sandbox) -> None:
    sandbox.control(faults="telegram.file:503x2=1")
    path = _json(sandbox, f"{BOT}/getFile", {"file_id": "AgADpassing"})[1]["result"]["file_path"]
    statuses = [_asked(sandbox, f"/file{BOT}/{path}")[0] for _ in range(4)]
    sandbox.control(faults="")
    assert statuses == [503, 503, 200, 200]


def _json(sandbox: Sandbox, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, said = _asked(sandbox, path, json.dumps(body).encode(), "application/json")
    return status, json.loads(said)


def _asked(sandbox: Sandbox, path: str, body: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(sandbox.url + path, body, headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
