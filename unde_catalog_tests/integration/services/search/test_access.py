"""Access to the API: keys, rate limits, the request log, health checks, and that no secret leaks."""

import json
import threading
import time

import pytest

from unde_catalog.services.search.middleware import api_keys
from unde_catalog.settings.redaction import Secrets
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.visual_index import PHOTOS

PASSWORD = "not-a-secret"  # of the test database
FILTERS = "/api/v1/filters"


def last_used(api: Api, name: str = "somebody") -> str | None:
    (row,) = execute(api.backends.db, "SELECT last_used_at::text AS at FROM api_keys WHERE name = %s", name)
    return row["at"]


def test_reading_needs_a_key_only_if_configured(open_api: OpenApi) -> None:
    api = open_api(SEARCH_NEEDS_KEY="true")
    response = api.get(FILTERS)
    assert (response.status_code, response.json()["code"]) == (401, "key_needed")
    assert response.headers["www-authenticate"] == "Bearer"
    key = api.key()
    assert api.get(FILTERS, headers=key).status_code == 200
    assert api.get(FILTERS, headers={"X-API-Key": key["Authorization"].removeprefix("Bearer ")}).status_code == 200
    for address in ("/api/v1/health", "/metrics", "/openapi.json", "/images/none.svg", "/docs"):
        assert api.get(address).status_code == 200


def test_a_wrong_or_revoked_key_is_rejected_even_if_none_is_required(api: Api) -> None:
    key = api.key()
    assert api.get(FILTERS, headers=key).status_code == 200
    wrong = [api_keys.generate(), "x", "x" * 5_000, "unde_' OR 1=1 --", "unde_" + "\u00e9" * 43]
    for key_text in wrong:
        response = api.get(FILTERS, headers=[(b"Authorization", f"Bearer {key_text}".encode())])
        assert (response.status_code, response.json()["code"]) == (401, "wrong_key")
        assert key_text == "x" or key_text not in response.text
    execute(api.backends.db, "UPDATE api_keys SET revoked_at = now()")
    assert api.get(FILTERS, headers=key).status_code == 401


def test_a_key_is_stored_as_a_hash_and_its_use_recorded_once_a_minute(api: Api) -> None:
    key = api.key()
    (row,) = execute(api.backends.db, "SELECT to_jsonb(k)::text AS row FROM api_keys k")
    assert key["Authorization"].removeprefix("Bearer ") not in row["row"]
    assert last_used(api) is None
    api.get(FILTERS, headers=key)
    first = last_used(api)
    assert first is not None
    api.get(FILTERS, headers=key)
    assert last_used(api) == first
    execute(api.backends.db, "UPDATE api_keys SET last_used_at = now() - interval '1 minute'")
    api.get(FILTERS, headers=key)
    assert last_used(api) != first


def test_concurrent_requests_with_one_key_do_not_block_each_other(api: Api) -> None:
    key, statuses = api.key(), []
    threads = [
        threading.Thread(target=lambda: statuses.append(api.get(FILTERS, headers=key).status_code)) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


def test_addresses_and_keys_have_rate_limits_with_retry_after(open_api: OpenApi) -> None:
    api = open_api(SEARCH_RATE_PER_MINUTE=3, SEARCH_KEY_RATE_PER_MINUTE=5)
    key = api.key()
    assert [api.get(FILTERS).status_code for _ in range(3)] == [200] * 3
    response = api.get(FILTERS)
    assert (response.status_code, response.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(response.headers["retry-after"]) <= 20
    assert api.get("/api/v1/health").status_code == 200
    assert [api.get(FILTERS, headers=key).status_code for _ in range(6)] == [200] * 5 + [429]
    other = {"X-Forwarded-For": "203.0.113.9"}  # from a reverse proxy on this machine
    assert [api.get(FILTERS, headers=other).status_code for _ in range(4)] == [200] * 3 + [429]
    metrics = api.get("/metrics").text
    assert 'unde_search_requests_limited_total{by="address"} 2.0' in metrics
    assert 'unde_search_requests_limited_total{by="key"} 1.0' in metrics


def test_guessing_keys_is_limited_before_the_database_is_queried(open_api: OpenApi) -> None:
    api = open_api(SEARCH_RATE_PER_MINUTE=3)
    wrong = [api.get(FILTERS, headers={"X-API-Key": api_keys.generate()}).status_code for _ in range(5)]
    assert wrong == [401] * 3 + [429] * 2
    assert api.get(FILTERS).status_code == 200  # another client at the same address, without a key


def test_every_response_has_a_request_id_and_one_log_line(api: Api) -> None:
    key = api.key("read", "web-shop")
    response = api.get(f"{FILTERS}?secret=in-the-query", headers={**key, "X-Request-ID": "abc-1.2_3"})
    assert response.headers["x-request-id"] == "abc-1.2_3"
    line = api.logged(response)
    assert {name: line[name] for name in ("method", "route", "status", "client", "key", "level")} == {
        "method": "GET", "route": FILTERS, "status": 200, "client": "127.0.0.1", "key": "web-shop", "level": "info",
    }  # fmt: skip
    assert line["ms"] > 0
    for invalid in ("a b", "x" * 65, "<script>", ""):
        response = api.get("/api/v1/nothing", headers={"X-Request-ID": invalid})
        assert response.headers["x-request-id"] not in ("", invalid)
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert api.logged(response)["route"] == "none"
    logged = "\n".join(api.lines)
    assert "in-the-query" not in logged and key["Authorization"].removeprefix("Bearer ") not in logged


def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    for method, address, status, code in (
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", FILTERS, 405, "method_not_allowed"),
        ("GET", "/api/v1/search/by-image", 405, "method_not_allowed"),
        ("POST", "/images/1/image_1.jpg", 405, "method_not_allowed"),
        ("GET", "/images/one/image_1.jpg", 404, "unknown_photo"),
        ("GET", "/nothing.html", 404, "not_found"),
        ("PROPFIND", FILTERS, 405, "method_not_allowed"),
    ):
        response = api.request(method, address)
        assert (response.status_code, response.json()["code"]) == (status, code), address
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == f"urn:unde:problem:{code}" and response.json()["status"] == status


def test_security_headers_forbid_running_framing_and_sniffing(api: Api) -> None:
    for address in (FILTERS, "/api/v1/nothing", "/api/v1/health", "/metrics"):
        headers = api.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    for page in ("/", "/docs"):
        policy = api.get(page).headers["content-security-policy"]
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert scripts == "script-src 'self'" and "frame-ancestors 'none'" in policy


def test_requests_are_counted_by_route_template(api: Api) -> None:
    last = api.get(FILTERS)
    for n in range(29):
        api.similar(f"made-up-{n}")
        api.get(f"/made-up-{n}")
        last = api.request("PROPFIND", FILTERS)
    api.logged(last)  # it is written after the request is counted
    metrics = api.get("/metrics").text
    assert "made-up" not in metrics and 'method="other"' in metrics and "PROPFIND" not in metrics
    route = 'unde_search_requests_total{method="GET",route="/api/v1/products/{external_id}/similar",status="404"} 29.0'
    assert route in metrics
    assert 'unde_search_request_seconds_count{route="/api/v1/filters"} 30.0' in metrics


def test_a_bug_is_logged_with_a_traceback_but_without_secrets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    url = api.backends.db.url
    assert PASSWORD in url

    def broken(*_: object) -> None:
        raise RuntimeError(f"could not talk to {url} with {key['Authorization']}")

    key = api.key()
    monkeypatch.setattr(api.app.state.search_runner.service, "similar", broken)
    response = api.similar(1)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    for detail in ("Traceback", "RuntimeError", "could not talk", PASSWORD, "search_api.py"):
        assert detail not in response.text
    line = api.logged(response)
    assert line["level"] == "error" and "RuntimeError: could not talk to" in line["error"]
    assert "Traceback" in line["trace"] and "in broken" in line["trace"]
    assert PASSWORD not in "\n".join(api.lines)
    assert key["Authorization"].removeprefix("Bearer ") not in "\n".join(api.lines)


def test_no_secret_is_in_any_response_page_or_log_line(
    open_api: OpenApi, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {
        "APIFY_TOKEN": "planted-apify-token", "XIMILAR_API_TOKEN": "planted-ximilar-token",
        "PROXY_URL": "http://someone:planted-proxy-password@proxy.test:33335", "QDRANT_API_KEY": "planted-qdrant-key",
    }  # fmt: skip
    api = open_api(**planted)
    api.visual.add("red")
    api.visual.run()
    key = api.key("write")
    texts = [
        api.get(address, headers=key).text
        for address in ("/", "/docs", "/openapi.json", "/metrics", FILTERS, "/api/v1/health", "/api/v1/products")
    ]
    texts += [api.by_image(PHOTOS["red"]).text, api.by_image(b"").text, api.similar(1).text, api.similar(2).text]
    texts += api.lines
    secrets = Secrets(api.backends.settings)
    for text in texts:
        assert secrets.hide(text) == text
        assert "planted" not in text and key["Authorization"].removeprefix("Bearer ") not in text


def test_health_reports_each_dependency_with_a_code_only(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api()
    monkeypatch.setattr("unde_catalog.services.search.routes.health._CACHE_SECONDS", 0)
    health = api.get("/api/v1/health").json()
    assert health["status"] == "degraded" and health["checks"]["vectors"]["code"] == "nothing_embedded"
    api.visual.add("red")
    api.visual.run()
    while (health := api.get("/api/v1/health")).json()["status"] != "ok":
        pass  # a check that the last response did not wait for is not done yet
    assert health.status_code == 200
    assert set(health.json()["checks"]) == {"staging", "vectors", "store", "model"}
    assert all(check["ok"] and check["ms"] >= 0 for check in health.json()["checks"].values())
    # The disk of the object store is no longer mounted.
    monkeypatch.setattr(api.backends.store, "_root", api.backends.settings.home / "elsewhere")
    health = api.get("/api/v1/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["checks"]["store"]["code"] == "store_down"
    assert str(api.backends.settings.home) not in health.text
    (line,) = [line for line in map(json.loads, api.lines) if line.get("check") == "store"]
    assert "is its disk mounted?" in line["error"]


def test_a_hanging_check_is_reported_in_time_and_started_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.services.search.routes.health._CACHE_SECONDS", 0)
    api.visual.add("red")
    api.visual.run()
    while not api.get("/api/v1/health").json()["checks"]["store"]["ok"]:
        pass  # the check that the server started with, and that would be reported instead, is not done yet
    an_hour_later = time.monotonic() + 3_600  # what is cached until then is not reported
    monkeypatch.setattr("unde_catalog.services.search.routes.health.monotonic", lambda: an_hour_later)
    monkeypatch.setattr("unde_catalog.services.search.routes.health._TIMEOUT", 0.2)
    release, calls = threading.Event(), []
    monkeypatch.setattr(api.backends.store, "exists", lambda key: calls.append(key) or release.wait(60))
    codes = [api.get("/api/v1/health").json()["checks"]["store"]["code"] for _ in range(3)]
    assert codes == ["no_answer"] * 3
    assert len(calls) == 1
    release.set()


def test_the_api_reports_a_missing_database_and_recovers(
    open_api: OpenApi, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = "postgresql://undeuser:planted-password@127.0.0.1:1/unde_staging"
    api = open_api(STAGING_DB_URL=unreachable)
    for response in (
        api.by_image(PHOTOS["red"]), api.similar(1), api.get(FILTERS), api.get("/images/1/image_1.jpg"),
        api.get(FILTERS, headers={"X-API-Key": api_keys.generate()}),
    ):  # fmt: skip
        assert (response.status_code, response.json()["code"]) == (503, "staging_down")
        assert response.headers["retry-after"] == "5" and "127.0.0.1" not in response.text
        assert "unde_staging at 127.0.0.1:1 can't be used" in api.logged(response)["error"]
    health = api.get("/api/v1/health")
    assert (health.status_code, health.json()["status"]) == (503, "down")
    assert "planted-password" not in "\n".join(api.lines)
    assert api.get("/images/none.svg").status_code == 200
    monkeypatch.setattr(api.backends, "staging_url", lambda: database_url)
    assert api.get(FILTERS).status_code == 200


def test_an_unmigrated_database_is_reported_until_it_is_migrated(open_api: OpenApi, server: Server) -> None:
    url = server.new_database(migrated=False)
    api = open_api(STAGING_DB_URL=url)
    response = api.get(FILTERS)
    assert response.json()["code"] == "staging_down"
    assert "run unde-catalog migrate" in api.logged(response)["error"]
    STAGING.upgrade(url)
    assert api.get(FILTERS).status_code == 200
    api.backends.close()
    server.drop(url)
