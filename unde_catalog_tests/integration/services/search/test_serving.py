"""`unde-catalog search` as people and supervisors run it: a process, its keys, its end, and what it says it takes."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from unde_catalog.cli.app import app
from unde_catalog_tests.support.served_api import Api, OpenApi

CLI = [sys.executable, "-c", "from unde_catalog.cli.app import main; main()"]


@pytest.fixture
def configured_environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STAGING_DB_URL", database_url)


def ran(*arguments: str) -> str:
    """What a command says, or the sentence that it fails with."""
    result = CliRunner().invoke(app, ["search", *arguments])
    return str(result.exception) if isinstance(result.exception, ValueError) else result.output.strip()


def started() -> tuple[subprocess.Popen[str], str]:
    """A server and its address."""
    process = subprocess.Popen([*CLI, "search", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())["message"]
    assert said.startswith("ready at http://127.0.0.1:")
    return process, said.removeprefix("ready at ")


@pytest.mark.usefixtures("configured_environment")
def test_it_is_served_with_keys_of_the_command_line_until_it_is_told_to_end(tmp_path: Path) -> None:
    process, url = started()
    try:
        key = ran("keys", "create", "web-shop", "--scope", "write")
        header = {"Authorization": f"Bearer {key}"}
        body = {"external_id": "new-1", "brand": "zara", "title": "Dress"}
        assert httpx.post(f"{url}/api/v1/products", json=body, timeout=60).status_code == 401
        assert httpx.post(f"{url}/api/v1/products", json=body, headers=header, timeout=60).status_code == 201
        reader = {"X-API-Key": ran("keys", "create", "reader")}
        answer = httpx.delete(f"{url}/api/v1/products/new-1", headers=reader, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (403, "write_key_needed")
        again = ran("keys", "create", "reader")
        assert "there is a key named reader already" in again
        listed = ran("keys", "list")
        assert "web-shop" in listed and "reader" in listed and key not in listed
        assert "revoked" in ran("keys", "revoke", "web-shop")
        assert httpx.get(f"{url}/api/v1/filters", headers=header, timeout=60).status_code == 401
        assert "no key named web-shop holds" in ran("keys", "revoke", "web-shop")
        taken = ran("serve", "--port", url.rsplit(":", 1)[1])
        assert "choose another --port" in taken
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]  # all of them are JSON
    assert {"status": 201, "key": "web-shop", "route": "/api/v1/products"}.items() <= next(
        line for line in lines if line.get("status") == 201
    ).items()
    assert key not in out and "not-a-secret" not in out


@pytest.mark.usefixtures("configured_environment")
def test_what_is_in_hand_is_answered_before_it_ends() -> None:
    process, url = started()
    try:
        host, port = url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(b"POST /api/v1/search/by-text HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            assert httpx.get(f"{url}/metrics", timeout=60).text.count("unde_search_requests_in_hand 2.0") == 1
            process.send_signal(signal.SIGTERM)
            line.sendall(b"}")
            assert line.recv(65_536).startswith(b"HTTP/1.1 422")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_document_of_all_it_takes_is_whole_and_every_address_in_it_answers_as_it_says(api: Api) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert {
        "/api/v1/search/by-image", "/api/v1/search/by-text", "/api/v1/products/{external_id}/similar",
        "/api/v1/filters", "/api/v1/products", "/api/v1/products/{external_id}", "/api/v1/webhooks/products/{brand}",
        "/api/v1/health", "/images/{product_id}/image_{n}.jpg",
    } <= paths.keys()  # fmt: skip
    operations = [told for methods in paths.values() for told in methods.values()]
    assert all(told.get("summary") and told.get("description") for told in operations)
    assert len({told["operationId"] for told in operations}) == len(operations)
    referred = set(_references(document))
    assert referred <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = document["components"]["schemas"]["SearchAnswer"]["properties"]
    assert set(found) == {"model", "answers_words", "score_meaning", "took_ms", "count", "results"}


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for value in node.values() for one in _references(value)]
    return [one for value in node for one in _references(value)] if isinstance(node, list) else []


def test_the_pages_for_people_load_nothing_from_elsewhere(api: Api) -> None:
    page = api.get("/docs").text
    assert "http://" not in page and "https://" not in page and "//cdn" not in page
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 4
    assert {path: api.get(path).status_code for path in loaded} == dict.fromkeys(loaded, 200)
    assert api.get("/docs/../app.py").status_code == 404
    assert api.get("/docs/app.py").json()["code"] == "not_found"


SIMPLE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=40),
    st.sampled_from(["zara", "zara:1", "-1", "1e308", "' OR 1=1", "\x00", "\ud800", "../..", "NaN", "9" * 400]),
)  # fmt: skip
NO_BUGS = ("nothing_embedded", "words_need_clip", "webhooks_not_configured")
ANYTHING = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner))


def test_nothing_that_is_sent_to_any_address_is_a_bug(open_api: OpenApi) -> None:
    """Every operation of the document with values of every kind: each answer is one that the document names."""
    api = open_api()
    key = api.key("write")
    document = api.get("/openapi.json").json()
    operations = [
        (method, path, told) for path, methods in document["paths"].items() for method, told in methods.items()
    ]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        method, path, told = data.draw(st.sampled_from(operations))
        query: list[tuple[str, str]] = []
        for parameter in told.get("parameters", []):
            value = _text(data.draw(SIMPLE))
            if parameter["in"] == "path":
                escaped = "".join(f"%{byte:02x}" for byte in value.encode())
                path = path.replace(f"{{{parameter['name']}}}", escaped)
            elif parameter["in"] == "query" and data.draw(st.booleans()):
                query.append((parameter["name"], value))
        body: dict[str, object] = {}
        content = told.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            names = st.sampled_from([*_names(document, content["application/json"]["schema"]), "more"])
            given_body = data.draw(st.dictionaries(names, ANYTHING, max_size=6) | ANYTHING)
            body = {"content": json.dumps(given_body).encode(), "headers": {**key, "Content-Type": "application/json"}}
        elif content:
            body = {
                "files": {"file": ("x", data.draw(st.binary(max_size=60)))},
                "data": {"top_k": _text(data.draw(SIMPLE))},
            }
        answer = api.request(method, path, params=query, **{"headers": key, **body})  # type: ignore[arg-type]
        told_of = (method, path, query, body, answer.text)
        assert answer.status_code < 500 or answer.json()["code"] in NO_BUGS, told_of
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"

    asked()
    assert not [line for line in api.lines if "trace" in json.loads(line)]


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _names(document: dict, schema: dict) -> list[str]:
    named = schema.get("$ref", "").rpartition("/")[2]
    return list(document["components"]["schemas"].get(named, schema).get("properties", {}))
