"""`unde-catalog search` as a process: serving, API keys, shutdown and the OpenAPI document."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from unde_catalog.cli.app import app
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.servers import closed_port

CLI = [sys.executable, "-c", "from unde_catalog.cli.app import main; main()"]


@pytest.fixture
def configured_environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STAGING_DB_URL", database_url)


def run_cli(*arguments: str) -> str:
    """The output of a command, or its error message."""
    result = CliRunner().invoke(app, ["search", *arguments])
    return str(result.exception) if isinstance(result.exception, ValueError) else result.output.strip()


def start_server() -> tuple[subprocess.Popen[str], str]:
    """A server process and its URL."""
    process = subprocess.Popen([*CLI, "search", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    message = json.loads(process.stdout.readline())["message"]
    assert message.startswith("ready at http://127.0.0.1:")
    return process, message.removeprefix("ready at ")


@pytest.mark.usefixtures("configured_environment")
def test_the_server_accepts_keys_of_the_cli_and_stops_on_sigterm(tmp_path: Path) -> None:
    process, url = start_server()
    try:
        key = run_cli("keys", "create", "web-shop", "--scope", "write")
        header = {"Authorization": f"Bearer {key}"}
        body = {"external_id": "new-1", "brand": "zara", "title": "Dress"}
        assert httpx.post(f"{url}/api/v1/products", json=body, timeout=60).status_code == 401
        assert httpx.post(f"{url}/api/v1/products", json=body, headers=header, timeout=60).status_code == 201
        reader = {"X-API-Key": run_cli("keys", "create", "reader")}
        response = httpx.delete(f"{url}/api/v1/products/new-1", headers=reader, timeout=60)
        assert (response.status_code, response.json()["code"]) == (403, "write_key_needed")
        again = run_cli("keys", "create", "reader")
        assert "the key reader exists already" in again
        listed = run_cli("keys", "list")
        assert "web-shop" in listed and "reader" in listed and key not in listed
        assert "revoked" in run_cli("keys", "revoke", "web-shop")
        assert httpx.get(f"{url}/api/v1/filters", headers=header, timeout=60).status_code == 401
        assert "there is no valid key named web-shop" in run_cli("keys", "revoke", "web-shop")
        occupied = run_cli("serve", "--port", url.rsplit(":", 1)[1])
        assert "choose another port with --port" in occupied
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]  # every line is JSON
    assert {"status": 201, "key": "web-shop", "route": "/api/v1/products"}.items() <= next(
        line for line in lines if line.get("status") == 201
    ).items()
    assert key not in out and "not-a-secret" not in out


@pytest.mark.usefixtures("configured_environment")
def test_requests_in_progress_are_completed_before_shutdown() -> None:
    process, url = start_server()
    try:
        host, port = url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(b"POST /api/v1/search/by-text HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            assert httpx.get(f"{url}/metrics", timeout=60).text.count("unde_search_requests_in_hand 2.0") == 1
            process.send_signal(signal.SIGTERM)
            connection.sendall(b"}")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 422")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_openapi_document_is_complete(api: Api) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert {
        "/api/v1/search/by-image", "/api/v1/search/by-text", "/api/v1/products/{external_id}/similar",
        "/api/v1/filters", "/api/v1/products", "/api/v1/products/{external_id}", "/api/v1/webhooks/products/{brand}",
        "/api/v1/health", "/images/{product}/image_{n}.jpg",
    } <= paths.keys()  # fmt: skip
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert all(operation.get("summary") and operation.get("description") for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    references = set(_references(document))
    assert references <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    properties = document["components"]["schemas"]["SearchResponse"]["properties"]
    assert set(properties) == {
        "model", "answers_words", "score_meaning", "took_ms", "count", "results", "read_as", "searched_for", "left_out",
        "total",
    }  # fmt: skip


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [reference for value in node.values() for reference in _references(value)]
    return [reference for value in node for reference in _references(value)] if isinstance(node, list) else []


def test_the_documentation_page_loads_nothing_from_other_hosts(api: Api) -> None:
    page = api.get("/docs").text
    assert "http://" not in page and "https://" not in page and "//cdn" not in page
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 4
    assert {path: api.get(path).status_code for path in loaded} == dict.fromkeys(loaded, 200)
    assert api.get("/docs/../app.py").status_code == 404
    assert api.get("/docs/app.py").json()["code"] == "not_found"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=40),
    st.sampled_from(["zara", "zara:1", "-1", "1e308", "' OR 1=1", "\x00", "\ud800", "../..", "NaN", "9" * 400]),
)  # fmt: skip
EXPECTED_5XX = ("nothing_embedded", "webhooks_not_configured")
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner)
)


def test_no_request_to_any_endpoint_causes_a_bug(open_api: OpenApi) -> None:
    """Sends random values to every operation of the OpenAPI document."""
    api = open_api()
    key = api.key("write")
    document = api.get("/openapi.json").json()
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]

    @settings(max_examples=150, derandomize=True)
    @given(st.data())
    def send_random(data: st.DataObject) -> None:
        method, path, operation = data.draw(st.sampled_from(operations))
        query: list[tuple[str, str]] = []
        for parameter in operation.get("parameters", []):
            value = _text(data.draw(SCALARS))
            if parameter["in"] == "path":
                escaped = "".join(f"%{byte:02x}" for byte in value.encode())
                path = path.replace(f"{{{parameter['name']}}}", escaped)
            elif parameter["in"] == "query" and data.draw(st.booleans()):
                query.append((parameter["name"], value))
        body: dict[str, object] = {}
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            names = st.sampled_from([*_names(document, content["application/json"]["schema"]), "unknown"])
            json_body = data.draw(st.dictionaries(names, ANY_JSON, max_size=6) | ANY_JSON)
            body = {"content": json.dumps(json_body).encode(), "headers": {**key, "Content-Type": "application/json"}}
        elif content:
            body = {
                "files": {"file": ("x", data.draw(st.binary(max_size=60)))},
                "data": {"top_k": _text(data.draw(SCALARS))},
            }
        response = api.request(method, path, params=query, **{"headers": key, **body})  # type: ignore[arg-type]
        details = (method, path, query, body, response.text)
        assert response.status_code < 500 or response.json()["code"] in EXPECTED_5XX, details
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"

    send_random()
    assert not [line for line in api.lines if "trace" in json.loads(line)]


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _names(document: dict, schema: dict) -> list[str]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return list(document["components"]["schemas"].get(name, schema).get("properties", {}))


def test_search_goes_on_without_its_replica_and_health_says_so(open_api: OpenApi) -> None:
    api = open_api(SEARCH_DB_URL=f"postgresql://nobody:secret@127.0.0.1:{closed_port()}/none")
    assert api.get("/api/v1/products").status_code == 200
    health = api.get("/api/v1/health").json()
    assert (health["status"], health["checks"]["replica"]["ok"]) == ("degraded", False)
    assert health["checks"]["staging"]["ok"]
