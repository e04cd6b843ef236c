"""Who may ask the API and how often, what is written down of it, and that no secret is shown anywhere."""

import json
import threading

import pytest

from unde_catalog.services.search.middleware import api_keys
from unde_catalog.settings.redaction import Secrets
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.served_api import Api, OpenApi
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.visual_index import PHOTOS

PASSWORD = "not-a-secret"  # of the test's database
FILTERS = "/api/v1/filters"


def used(api: Api, name: str = "somebody") -> str | None:
    (row,) = execute(api.place.db, "SELECT last_used_at::text AS at FROM api_keys WHERE name = %s", name)
    return row["at"]


def test_reading_needs_a_key_only_where_that_is_set(open_api: OpenApi) -> None:
    api = open_api(SEARCH_NEEDS_KEY="true")
    answer = api.get(FILTERS)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_needed")
    assert answer.headers["www-authenticate"] == "Bearer"
    key = api.key()
    assert api.get(FILTERS, headers=key).status_code == 200
    assert api.get(FILTERS, headers={"X-API-Key": key["Authorization"].removeprefix("Bearer ")}).status_code == 200
    for open_to_all in ("/api/v1/health", "/metrics", "/openapi.json", "/images/none.svg", "/docs"):
        assert api.get(open_to_all).status_code == 200


def test_a_key_that_is_wrong_or_revoked_is_refused_also_where_none_is_needed(api: Api) -> None:
    key = api.key()
    assert api.get(FILTERS, headers=key).status_code == 200
    wrong = [api_keys.make(), "x", "x" * 5_000, "unde_' OR 1=1 --", "unde_" + "\u00e9" * 43]
    for one in wrong:
        answer = api.get(FILTERS, headers=[(b"Authorization", f"Bearer {one}".encode())])
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_key")
        assert one == "x" or one not in answer.text
    execute(api.place.db, "UPDATE api_keys SET revoked_at = now()")
    assert api.get(FILTERS, headers=key).status_code == 401


def test_a_key_is_kept_as_a_hash_and_its_use_is_noted_once_a_minute(api: Api) -> None:
    key = api.key()
    (row,) = execute(api.place.db, "SELECT to_jsonb(k)::text AS row FROM api_keys k")
    assert key["Authorization"].removeprefix("Bearer ") not in row["row"]
    assert used(api) is None
    api.get(FILTERS, headers=key)
    first = used(api)
    assert first is not None
    api.get(FILTERS, headers=key)
    assert used(api) == first
    execute(api.place.db, "UPDATE api_keys SET last_used_at = now() - interval '1 minute'")
    api.get(FILTERS, headers=key)
    assert used(api) != first


def test_many_requests_with_one_key_at_once_do_not_wait_for_each_other(api: Api) -> None:
    key, statuses = api.key(), []
    threads = [
        threading.Thread(target=lambda: statuses.append(api.get(FILTERS, headers=key).status_code)) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12


def test_an_address_and_a_key_may_each_ask_so_often_and_are_told_when_again(open_api: OpenApi) -> None:
    api = open_api(SEARCH_RATE_PER_MINUTE=3, SEARCH_KEY_RATE_PER_MINUTE=5)
    key = api.key()
    assert [api.get(FILTERS).status_code for _ in range(3)] == [200] * 3
    answer = api.get(FILTERS)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert api.get("/api/v1/health").status_code == 200
    assert [api.get(FILTERS, headers=key).status_code for _ in range(6)] == [200] * 5 + [429]
    other = {"X-Forwarded-For": "203.0.113.9"}  # through a reverse proxy on this machine
    assert [api.get(FILTERS, headers=other).status_code for _ in range(4)] == [200] * 3 + [429]
    told = api.get("/metrics").text
    assert 'unde_search_requests_limited_total{by="address"} 2.0' in told
    assert 'unde_search_requests_limited_total{by="key"} 1.0' in told


def test_who_tries_out_keys_is_sent_away_before_the_database_is_asked(open_api: OpenApi) -> None:
    api = open_api(SEARCH_RATE_PER_MINUTE=3)
    wrong = [api.get(FILTERS, headers={"X-API-Key": api_keys.make()}).status_code for _ in range(5)]
    assert wrong == [401] * 3 + [429] * 2
    assert api.get(FILTERS).status_code == 200  # whoever shares the address and has no key


def test_every_answer_has_a_request_id_and_the_log_one_line_of_it(api: Api) -> None:
    key = api.key("read", "web-shop")
    answer = api.get(f"{FILTERS}?secret=in-the-query", headers={**key, "X-Request-ID": "abc-1.2_3"})
    assert answer.headers["x-request-id"] == "abc-1.2_3"
    line = api.logged(answer)
    assert {name: line[name] for name in ("method", "route", "status", "client", "key", "level")} == {
        "method": "GET", "route": FILTERS, "status": 200, "client": "127.0.0.1", "key": "web-shop", "level": "info",
    }  # fmt: skip
    assert line["ms"] > 0
    for insane in ("a b", "x" * 65, "<script>", ""):
        made = api.get("/api/v1/nothing", headers={"X-Request-ID": insane})
        assert made.headers["x-request-id"] not in ("", insane)
        assert made.json()["request_id"] == made.headers["x-request-id"]
        assert api.logged(made)["route"] == "none"
    logged = "\n".join(api.lines)
    assert "in-the-query" not in logged and key["Authorization"].removeprefix("Bearer ") not in logged


def test_what_is_not_there_or_not_meant_so_is_a_problem_too(api: Api) -> None:
    for method, address, status, code in (
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", FILTERS, 405, "method_not_allowed"),
        ("GET", "/api/v1/search/by-image", 405, "method_not_allowed"),
        ("POST", "/images/1/image_1.jpg", 405, "method_not_allowed"),
        ("GET", "/images/one/image_1.jpg", 404, "not_found"),
        ("GET", "/nothing.html", 404, "not_found"),
        ("PROPFIND", FILTERS, 405, "method_not_allowed"),
    ):
        answer = api.request(method, address)
        assert (answer.status_code, answer.json()["code"]) == (status, code), address
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:unde:problem:{code}" and answer.json()["status"] == status


def test_answers_may_not_be_run_framed_or_guessed_at(api: Api) -> None:
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


def test_requests_are_counted_by_the_route_s_template(api: Api) -> None:
    last = api.get(FILTERS)
    for n in range(29):
        api.similar(f"made-up-{n}")
        api.get(f"/made-up-{n}")
        last = api.request("PROPFIND", FILTERS)
    api.logged(last)  # after it was counted
    told = api.get("/metrics").text
    assert "made-up" not in told and 'method="other"' in told and "PROPFIND" not in told
    route = 'unde_search_requests_total{method="GET",route="/api/v1/products/{external_id}/similar",status="404"} 29.0'
    assert route in told
    assert 'unde_search_request_seconds_count{route="/api/v1/filters"} 30.0' in told


def test_a_bug_is_answered_without_a_trace_and_logged_with_one_that_shows_no_secret(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = api.place.db.url
    assert PASSWORD in url

    def broken(*_: object) -> None:
        raise RuntimeError(f"could not talk to {url} with {key['Authorization']}")

    key = api.key()
    monkeypatch.setattr(api.app.state.searching.finder, "like", broken)
    answer = api.similar(1)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    for shown in ("Traceback", "RuntimeError", "could not talk", PASSWORD, "served_api.py"):
        assert shown not in answer.text
    line = api.logged(answer)
    assert line["level"] == "error" and "RuntimeError: could not talk to" in line["error"]
    assert "Traceback" in line["trace"] and "in broken" in line["trace"]
    assert PASSWORD not in "\n".join(api.lines)
    assert key["Authorization"].removeprefix("Bearer ") not in "\n".join(api.lines)


def test_no_secret_is_in_any_answer_page_or_line_of_the_log(
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
    shown = [
        api.get(address, headers=key).text
        for address in ("/", "/docs", "/openapi.json", "/metrics", FILTERS, "/api/v1/health", "/api/v1/products")
    ]
    shown += [api.by_image(PHOTOS["red"]).text, api.by_image(b"").text, api.similar(1).text, api.similar(2).text]
    shown += api.lines
    secrets = Secrets(api.place.settings)
    for text in shown:
        assert secrets.hide(text) == text
        assert "planted" not in text and key["Authorization"].removeprefix("Bearer ") not in text


def test_health_looks_at_each_part_and_tells_no_reason_but_a_code(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = open_api()
    monkeypatch.setattr("unde_catalog.services.search.routes.health._REMEMBERED", 0)
    told = api.get("/api/v1/health").json()
    assert told["status"] == "degraded" and told["checks"]["vectors"]["code"] == "nothing_embedded"
    api.visual.add("red")
    api.visual.run()
    told = api.get("/api/v1/health")
    assert told.status_code == 200 and told.json()["status"] == "ok"
    assert set(told.json()["checks"]) == {"staging", "vectors", "store", "model"}
    assert all(part["ok"] and part["ms"] >= 0 for part in told.json()["checks"].values())
    # The disk of the store is not mounted any more.
    monkeypatch.setattr(api.place.store, "_root", api.place.settings.home / "elsewhere")
    told = api.get("/api/v1/health")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert told.json()["checks"]["store"]["code"] == "store_down"
    assert str(api.place.settings.home) not in told.text
    (line,) = [line for line in map(json.loads, api.lines) if line.get("check") == "store"]
    assert "is its disk mounted?" in line["error"]


def test_a_part_that_hangs_is_told_of_in_time_and_asked_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.services.search.routes.health._REMEMBERED", 0)
    monkeypatch.setattr("unde_catalog.services.search.routes.health._SECONDS", 0.2)
    api.visual.add("red")
    api.visual.run()
    go_on, asked = threading.Event(), []
    monkeypatch.setattr(api.place.store, "exists", lambda key: asked.append(key) or go_on.wait(60))
    for _ in range(3):
        assert api.get("/api/v1/health").json()["checks"]["store"]["code"] == "no_answer"
    assert len(asked) == 1
    go_on.set()


def test_without_a_database_everything_says_so_and_goes_on_when_it_comes(
    open_api: OpenApi, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql://undeuser:planted-password@127.0.0.1:1/unde_staging"
    api = open_api(STAGING_DB_URL=away)
    for answer in (
        api.by_image(PHOTOS["red"]), api.similar(1), api.get(FILTERS), api.get("/images/1/image_1.jpg"),
        api.get(FILTERS, headers={"X-API-Key": api_keys.make()}),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (503, "staging_down")
        assert answer.headers["retry-after"] == "5" and "127.0.0.1" not in answer.text
        assert "unde_staging at 127.0.0.1:1 can't be used" in api.logged(answer)["error"]
    told = api.get("/api/v1/health")
    assert (told.status_code, told.json()["status"]) == (503, "down")
    assert "planted-password" not in "\n".join(api.lines)
    assert api.get("/images/none.svg").status_code == 200
    monkeypatch.setattr(api.place, "staging_url", lambda: database_url)
    assert api.get(FILTERS).status_code == 200


def test_a_database_that_is_not_migrated_is_told_of_until_it_is(open_api: OpenApi, server: Server) -> None:
    url = server.new_database(migrated=False)
    api = open_api(STAGING_DB_URL=url)
    answer = api.get(FILTERS)
    assert answer.json()["code"] == "staging_down"
    assert "run unde-catalog migrate" in api.logged(answer)["error"]
    STAGING.upgrade(url)
    assert api.get(FILTERS).status_code == 200
    api.place.close()
    server.drop(url)
