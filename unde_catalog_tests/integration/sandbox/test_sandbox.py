"""The sandbox as a process of its own, spoken to by the real Apify client and over plain HTTP."""

import gzip
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apify_client import ApifyClient
from apify_client.errors import ApifyApiError

from unde_catalog.sandbox.serve import environment
from unde_catalog_tests.support.servers import REAL_DATA

ZARA_TASK = "z1psVOTyIKFdU5N9n"
ITEM = {
    "id": 7,
    "name": "A",
    "price": "12,50",
    "odd": None,
    "colorsSizesImagesJSON": [{"xmedia": ["{cdn}/photos/a b.png?ts=1&w={width}"], "sizes": [{"price": 1}]}],
}


@dataclass(slots=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    state: Path

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body; the path is sent as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def api(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, Any]:
        """The same of the Apify API, authorized, the body as JSON."""
        sent = {"Authorization": "Bearer sandbox-token", **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, got, text = self.ask(method, path, body, sent)
        return status, got, json.loads(text)

    def client(self) -> ApifyClient:
        return ApifyClient("sandbox-token", api_url=f"http://127.0.0.1:{self.port}", max_retries=0)

    def log(self, kind: str = "") -> list[dict]:
        return json.loads(self.ask("GET", f"/_log?kind={kind}" if kind else "/_log")[2])["requests"]


@contextmanager
def sandbox(state: Path, *arguments: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", "0", "--state-dir", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0], "the sandbox did not say that it is ready"
            line = process.stdout.readline()
            assert line.startswith("sandbox ready at http://127.0.0.1:"), line
            yield Running(process, int(line.split("127.0.0.1:")[1].split(" ")[0]), state)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with sandbox(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny data folder: one brand, an odd item, two photos, a link out of it."""
    data = tmp_path / "data"
    (data / "apify_items").mkdir(parents=True)
    (data / "photos").mkdir()
    odd = [ITEM, "not an object", {"no": "id"}, {"id": 8, "name": "café 😀"}]
    (data / "apify_items/zara.json").write_text(json.dumps(odd))
    (data / "photos/a b.png").write_bytes(b"\x89PNG" + bytes(range(256)) * 5000)
    (data / "photos/c.webp").write_bytes(b"RIFF")
    (tmp_path / "secret.txt").write_text("secret")
    (data / "link.txt").symlink_to(tmp_path / "secret.txt")
    return data


def test_the_real_client_starts_a_task_waits_and_reads_the_items(drawn: Running) -> None:
    run = drawn.client().task(ZARA_TASK).call()
    assert run is not None
    assert run.status == "SUCCEEDED"
    assert run.actor_task_id == ZARA_TASK
    items = list(drawn.client().dataset(run.default_dataset_id).iterate_items())
    assert len(items) == 20
    assert items[0]["brand"] == "Zara"


def test_the_real_client_reads_lists_last_run_task_dataset_and_user(drawn: Running) -> None:
    client = drawn.client()
    first, second = (client.task(ZARA_TASK).call() for _ in range(2))
    assert first and second
    listed = client.task(ZARA_TASK).runs().list(desc=True, limit=1, status="SUCCEEDED")
    assert [run.id for run in listed.items] == [second.id]
    assert listed.items[0].build_number == "0.1.1"
    assert listed.items[0].usage_total_usd >= 0
    assert listed.total >= 2
    offset = client.task(ZARA_TASK).runs().list(desc=True, offset=1, limit=1)
    assert [run.id for run in offset.items] == [first.id]
    last = client.task(ZARA_TASK).last_run(status="SUCCEEDED").get()
    assert last is not None and last.id == second.id
    task, user = client.task(ZARA_TASK).get(), client.user("me").get()
    assert task is not None and task.id == ZARA_TASK
    assert user is not None and user.username
    dataset = client.dataset(second.default_dataset_id).get()
    assert dataset is not None and dataset.act_run_id == second.id


def test_a_started_run_is_answered_with_201_and_every_field(drawn: Running) -> None:
    status, _, answer = drawn.api("POST", f"/v2/actor-tasks/{ZARA_TASK}/runs?timeout=60")
    run = answer["data"]
    assert status == 201
    wanted = {"id", "actId", "userId", "actorTaskId", "startedAt", "finishedAt", "status", "meta", "stats", "options"}
    wanted |= {"buildId", "defaultKeyValueStoreId", "defaultDatasetId", "defaultRequestQueueId"}
    assert wanted <= set(run)
    assert run["meta"]["origin"] == "API"
    assert isinstance(run["stats"], dict)
    assert {"build", "timeoutSecs", "memoryMbytes", "diskMbytes"} <= set(run["options"])
    assert (run["status"], run["finishedAt"]) == ("READY", None)


def test_a_compressed_body_is_read_and_a_broken_one_is_refused(drawn: Running) -> None:
    path = f"/v2/actor-tasks/{ZARA_TASK}/runs"
    body = gzip.compress(json.dumps({"urls": ["x" * 2000]}).encode())
    status, _, answer = drawn.api("POST", path, body, Content_Encoding="gzip", Content_Type="application/json")
    assert status == 201
    assert answer["data"]["stats"]["inputBodyLen"] > 2000
    assert drawn.api("POST", path, b"{", Content_Type="application/json")[0] == 400


def test_waiting_is_really_waited_and_a_run_passes_through_its_states(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--run-seconds", "1.5") as running:
        run = running.client().task(ZARA_TASK).start()
        assert run.status == "READY"
        at_once = running.api("GET", f"/v2/actor-runs/{run.id}")[2]["data"]
        assert at_once["status"] in ("READY", "RUNNING")
        waited = running.api("GET", f"/v2/actor-runs/{run.id}?waitForFinish=1")[2]["data"]
        assert waited["status"] == "RUNNING"
        done = running.api("GET", f"/v2/actor-runs/{run.id}?waitForFinish=999999")[2]["data"]
        assert done["status"] == "SUCCEEDED"
        waits = [line for line in running.log("apify.run") if "waitForFinish" in line["query"]]
        assert 900 < waits[0]["ms"] < 1400


def test_an_aborted_run_ends_at_once_and_keeps_what_it_had(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--run-seconds", "60") as running:
        run = running.client().task(ZARA_TASK).start()
        assert running.client().run(run.id).abort().status == "ABORTED"
        ended = running.client().run(run.id).wait_for_finish(wait_duration=timedelta(seconds=5))
        assert ended is not None and ended.status == "ABORTED"
        assert running.client().dataset(run.default_dataset_id).list_items().count < 20


def test_item_pages_are_bare_arrays_with_their_place_in_the_headers(drawn: Running) -> None:
    run = drawn.client().task(ZARA_TASK).call()
    assert run is not None
    path = f"/v2/datasets/{run.default_dataset_id}/items"
    status, headers, items = drawn.api("GET", f"{path}?offset=18&limit=5&format=json")
    assert (status, len(items)) == (200, 2)
    names = ("total", "offset", "count", "limit", "desc")
    assert [headers[f"x-apify-pagination-{name}"] for name in names] == ["20", "18", "2", "5", "false"]
    assert drawn.api("GET", f"{path}?offset=20&limit=5")[2] == []
    _, headers, items = drawn.api("GET", f"{path}?desc=1")
    assert (headers["x-apify-pagination-limit"], headers["x-apify-pagination-desc"]) == ("250000", "true")
    assert items == list(reversed(drawn.api("GET", path)[2]))
    _, headers, body = drawn.ask(
        "GET", path, headers={"Authorization": "Bearer sandbox-token", "Accept-Encoding": "gzip"}
    )
    assert headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))) == 20


@pytest.mark.parametrize(
    ("path", "token", "status", "type_"),
    [
        ("/v2/users/me", "", 401, "user-or-token-not-found"),
        ("/v2/users/me", "wrong", 401, "user-or-token-not-found"),
        ("/v2/actor-tasks/nothing/runs", "sandbox-token", 404, "record-not-found"),
        ("/v2/actor-runs/nothing", "sandbox-token", 404, "record-not-found"),
        ("/v2/datasets/nothing/items", "sandbox-token", 404, "record-not-found"),
        (f"/v2/actor-tasks/{ZARA_TASK}/runs?limit=x", "sandbox-token", 400, "invalid-parameter"),
    ],
)
def test_errors_are_apifys(drawn: Running, path: str, token: str, status: int, type_: str) -> None:
    got, headers, body = drawn.ask("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    assert (got, json.loads(body)["error"]["type"]) == (status, type_)
    assert headers["content-type"].startswith("application/json")


def test_a_token_in_the_query_is_taken_and_never_logged(drawn: Running) -> None:
    assert drawn.ask("GET", "/v2/users/me?token=sandbox-token&x=1")[0] == 200
    with pytest.raises(ApifyApiError):
        ApifyClient("very-secret", api_url=f"http://127.0.0.1:{drawn.port}").user("me").get()
    logged = (drawn.state / "requests.jsonl").read_text()
    assert "sandbox-token" not in logged and "very-secret" not in logged
    assert drawn.log("apify.user")[-2]["query"] == "token=***&x=1"


def test_the_cdn_answers_photos_as_a_cdn_does(drawn: Running) -> None:
    run = drawn.client().task(ZARA_TASK).call()
    assert run is not None
    item = drawn.client().dataset(run.default_dataset_id).list_items().items[0]
    url = item["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "1920")
    path = url.removeprefix(f"http://127.0.0.1:{drawn.port}")
    status, headers, body = drawn.ask("GET", path)
    assert (status, headers["content-type"], headers["content-length"]) == (200, "image/jpeg", str(len(body)))
    assert body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9")
    assert headers["last-modified"].endswith("GMT")
    assert drawn.ask("GET", path, headers={"If-None-Match": headers["etag"]})[0] == 304
    assert drawn.ask("HEAD", path)[1]["content-length"] == str(len(body))
    assert drawn.ask("GET", path.replace("-p.jpg", "-x9.jpg"))[0] == 404
    small = drawn.ask("GET", path.replace("w=1920", "w=200"))
    assert len(small[2]) < len(body)
    assert small[1]["etag"] != headers["etag"]


def test_the_log_tells_every_request(drawn: Running) -> None:
    drawn.ask("DELETE", "/_log")
    drawn.ask("GET", "/nothing/here?a=b", headers={"User-Agent": "tester/1"})
    answer = json.loads(drawn.ask("GET", "/_log")[2])
    line = next(line for line in answer["requests"] if line["path"] == "/nothing/here")
    assert set(line) == {
        "time", "kind", "method", "path", "query", "status", "bytes", "ms", "open", "user_agent",
    }  # fmt: skip
    assert (line["method"], line["query"], line["status"], line["user_agent"]) == ("GET", "a=b", 404, "tester/1")
    drawn.ask("GET", "/later")
    later = json.loads(drawn.ask("GET", f"/_log?since={answer['next']}&kind=other")[2])["requests"]
    assert [line["path"] for line in later] == ["/later"]
    health = json.loads(drawn.ask("GET", "/_health")[2])
    assert (health["sandbox"], health["pid"]) == (True, drawn.process.pid)


def test_a_restarted_sandbox_still_knows_its_runs(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        run = running.client().task(ZARA_TASK).call()
        assert run is not None
        running.process.send_signal(signal.SIGKILL)
        running.process.wait(10)
    with sandbox(tmp_path) as running:
        last = running.client().task(ZARA_TASK).last_run().get()
        assert last is not None
        assert (last.id, last.status, last.finished_at) == (run.id, "SUCCEEDED", run.finished_at)
        assert len(list(running.client().dataset(run.default_dataset_id).iterate_items())) == 20


def test_control_changes_the_next_scrape_and_not_the_last_one(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        before = running.client().task(ZARA_TASK).call()
        assert before is not None
        old = running.client().dataset(before.default_dataset_id).list_items().items
        cheap, gone, new_look = (str(item["id"]) for item in old[:3])
        order = {"brand": "zara", "price": {cheap: 5990}, "drop": [gone], "photos": {new_look: "v2"}}
        assert running.ask("POST", "/_control", json.dumps(order).encode())[0] == 200
        after = running.client().task(ZARA_TASK).call()
        assert after is not None
        new = {str(i["id"]): i for i in running.client().dataset(after.default_dataset_id).list_items().items}
        assert new[cheap]["price"] == 5990
        assert gone not in new and len(new) == 19
        old_url, new_url = (
            item["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "200") for item in (old[2], new[new_look])
        )
        base = f"http://127.0.0.1:{running.port}"
        assert old_url != new_url
        assert running.ask("GET", old_url.removeprefix(base))[2] != running.ask("GET", new_url.removeprefix(base))[2]
        assert running.client().dataset(before.default_dataset_id).list_items().items == old
        assert running.ask("POST", "/_control", b'{"brand": "zara", "prise": {}}')[0] == 400
        reset = running.ask("POST", "/_control", b'{"brand": "zara", "reset": true}')
        assert json.loads(reset[2]) == {"brand": "zara", "price": {}, "drop": [], "photos": {}}


def test_a_data_folder_is_served_untouched(tmp_path: Path, folder: Path) -> None:
    with sandbox(tmp_path / "state", "--data", str(folder)) as running:
        run, none = running.client().task(ZARA_TASK).call(), running.client().task(_task("oysho")).call()
        assert run is not None and none is not None
        items = running.api("GET", f"/v2/datasets/{run.default_dataset_id}/items")[2]
        assert items[1:] == ["not an object", {"no": "id"}, {"id": 8, "name": "café 😀"}]
        assert items[0]["price"] == "12,50"
        url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0]
        assert url == f"http://127.0.0.1:{running.port}/photos/a b.png?ts=1&w={{width}}"
        assert list(running.client().dataset(none.default_dataset_id).iterate_items()) == []
        status, headers, body = running.ask("GET", "/photos/a%20b.png?ts=1&w=1920")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert body == (folder / "photos/a b.png").read_bytes()
        assert running.ask("GET", "/photos/c.webp")[1]["content-type"] == "image/webp"
        assert [line["status"] for line in running.log("photo")] == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/photos/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/photos/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/link.txt",
        "/photos/%00",
        "/photos",
        "/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_data_folder_is_served(served: Running, path: str) -> None:
    status, _, body = served.ask("GET", path)
    assert status in (400, 404)
    assert b"secret" not in body and b"root:" not in body


@pytest.fixture
def served(tmp_path: Path, folder: Path) -> Iterator[Running]:
    with sandbox(tmp_path / "state", "--data", str(folder)) as running:
        yield running


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"there is no {REAL_DATA.name} folder beside the repository")
def test_the_real_data_folder_is_served(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--data", str(REAL_DATA)) as running:
        for brand in ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho"):
            run = running.client().task(_task(brand)).call()
            assert run is not None
            items = list(running.client().dataset(run.default_dataset_id).iterate_items())
            assert len(items) == len(json.loads((REAL_DATA / f"apify_items/{brand}.json").read_text()))
            url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "1920")
            status, headers, _ = running.ask("GET", url.removeprefix(f"http://127.0.0.1:{running.port}"))
            assert status == 200
            assert headers["content-type"].startswith("image/")


def test_a_file_of_items_can_replace_a_brand_and_its_photos_are_drawn(tmp_path: Path) -> None:
    item = {
        "id": 1,
        "colorsSizesImagesJSON": [
            {"xmedia": ["https://static.zara.net/a/13313620145-p/13313620145-p.jpg?ts=5&w={width}"]}
        ],
    }
    lines = tmp_path / "zara_large.jsonl.gz"
    lines.write_bytes(gzip.compress("\n".join(json.dumps({**item, "id": n}) for n in range(2500)).encode()))
    with sandbox(tmp_path / "state", "--items", f"zara={lines}") as running:
        run = running.client().task(ZARA_TASK).call()
        assert run is not None
        items = list(running.client().dataset(run.default_dataset_id).iterate_items())
        assert [item["id"] for item in items] == list(range(2500))
        assert len(running.log("apify.items")) == 4
        url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "100")
        status, _, body = running.ask("GET", url.removeprefix(f"http://127.0.0.1:{running.port}"))
        assert status == 200 and body.startswith(b"\xff\xd8")


def test_faults_strike_as_the_dial_says(tmp_path: Path, folder: Path) -> None:
    with sandbox(tmp_path / "a", "--data", str(folder), "--faults", "photo:503x2=1") as running:
        assert [running.ask("GET", "/photos/c.webp")[0] for _ in range(4)] == [503, 503, 200, 200]
    with sandbox(tmp_path / "b", "--data", str(folder), "--faults", "photo:truncated=1") as running:
        with pytest.raises(http.client.IncompleteRead):
            running.ask("GET", "/photos/a%20b.png")
        assert running.log("photo")[0]["status"] == 200
    with sandbox(tmp_path / "c", "--data", str(folder), "--faults", "photo:html=1, apify.run:FAILEDx1=1") as running:
        assert running.ask("GET", "/photos/c.webp")[2].startswith(b"<!DOCTYPE html>")
        failed, fine = (running.client().task(ZARA_TASK).call() for _ in range(2))
        assert failed is not None and fine is not None
        assert (failed.status, fine.status) == ("FAILED", "SUCCEEDED")


def test_a_run_that_is_told_to_goes_on_for_ever_until_it_is_aborted(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--faults", "apify.run:RUNNING=1") as running:
        client = running.client()
        run = client.task(ZARA_TASK).start()
        looked_at = client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=1))
        assert looked_at is not None
        assert looked_at.status == "RUNNING"
        assert client.run(run.id).abort().status in ("ABORTING", "ABORTED")


def test_a_fault_that_never_answers_holds_the_connection(tmp_path: Path, folder: Path) -> None:
    with sandbox(tmp_path / "a", "--data", str(folder), "--faults", "photo:timeout=1") as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=0.3)
        connection.request("GET", "/photos/c.webp")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
        assert running.ask("GET", "/_health")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--faults", "photo:404"], "KIND:FAULT[xTIMES]=SHARE"),
        (["--faults", "photo:404=2"], "from 0 to 1"),
        (["--faults", "photo:flood=1"], "unknown fault 'flood'"),
        (["--data", "/nowhere/at/all"], "is not a folder"),
        (["--port", "{busy}"], "is in use"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(tmp_path: Path, arguments: list[str], said: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        filled = [argument.format(busy=other.getsockname()[1]) for argument in arguments]
        command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", "0", "--state-dir", str(tmp_path), *filled]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=dict(os.environ))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_points_every_client_at_the_sandbox() -> None:
    named = environment(8790)
    assert named["APIFY_TOKEN"] == "sandbox-token"
    assert named["APIFY_API_URL"] == "http://127.0.0.1:8790"
    assert named["APIFY_TASK_ZARA"] == ZARA_TASK
    tasks = [value for name, value in named.items() if name.startswith("APIFY_TASK_")]
    assert len(set(tasks)) == 6
    assert all(len(task) == 17 and task.isalnum() for task in tasks)
    elsewhere = re.compile(r"APIFY_|BAKAI_|STOCK_|.*_STOCK_|.*_SHOP_|.*_USER_AGENT|DUBAI_")
    rest = {name: value for name, value in named.items() if not elsewhere.match(name)}
    assert rest == {
        "XIMILAR_API_URL": "http://127.0.0.1:8790",
        "XIMILAR_API_TOKEN": "sandbox-ximilar-token",
        "XIMILAR_COLLECTION_ID": "sandbox-fashion-new",
        "TELEGRAM_API_URL": "http://127.0.0.1:8790",
        "TELEGRAM_BOT_TOKEN": "4096351827:sandbox-telegram-token",
        "PHOTO_ALLOW_PRIVATE_HOSTS": "true",
        "DOWNLOAD_DELAY_MIN": "0",
        "DOWNLOAD_DELAY_MAX": "0",
        "ZARA_USE_PROXY": "false",
        "BERSHKA_USE_PROXY": "false",
        "PULLANDBEAR_USE_PROXY": "false",
        "STRADIVARIUS_USE_PROXY": "false",
        "MASSIMODUTTI_USE_PROXY": "false",
        "OYSHO_USE_PROXY": "false",
    }


def test_the_environment_points_every_brand_at_its_shops() -> None:
    named = environment(8790)
    assert named["STOCK_REQUEST_GAP"] == "0"
    for brand in ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho"):
        url = f"http://127.0.0.1:8790/shops/{brand}"
        assert named[f"{brand.upper()}_STOCK_API_URL"] == named[f"{brand.upper()}_SHOP_FINDER_URL"] == url
        assert named[f"{brand.upper()}_STOCK_CHANNEL"].isdigit()
        assert all(shop.isdigit() for shop in named[f"DUBAI_{brand.upper()}_STORES"].split(","))
        assert "App/15.10.0 (sandbox)" in named[f"{brand.upper()}_USER_AGENT"]
    assert named["ZARA_USER_AGENT"] == "ZaraApp/15.10.0 (sandbox)"


def _task(brand: str) -> str:
    return environment(1)[f"APIFY_TASK_{brand.upper()}"]
