"""The sandbox's Apify API, through the real client and over plain HTTP."""

import gzip
import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from apify_client import ApifyClient
from apify_client.errors import ApifyApiError

from unde_catalog_tests.support.sandbox_client import ZARA_TASK, SandboxClient, sandbox_client


def test_the_real_client_starts_a_task_waits_and_reads_the_items(default_sandbox: SandboxClient) -> None:
    run = default_sandbox.client().task(ZARA_TASK).call()
    assert run is not None
    assert run.status == "SUCCEEDED"
    assert run.actor_task_id == ZARA_TASK
    items = list(default_sandbox.client().dataset(run.default_dataset_id).iterate_items())
    assert len(items) == 20
    assert items[0]["brand"] == "Zara"


def test_the_real_client_reads_lists_last_run_task_dataset_and_user(default_sandbox: SandboxClient) -> None:
    client = default_sandbox.client()
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


def test_starting_a_run_returns_201_and_every_field(default_sandbox: SandboxClient) -> None:
    status, _, response = default_sandbox.api("POST", f"/v2/actor-tasks/{ZARA_TASK}/runs?timeout=60")
    run = response["data"]
    assert status == 201
    expected = {"id", "actId", "userId", "actorTaskId", "startedAt", "finishedAt", "status", "meta", "stats", "options"}
    expected |= {"buildId", "defaultKeyValueStoreId", "defaultDatasetId", "defaultRequestQueueId"}
    assert expected <= set(run)
    assert run["meta"]["origin"] == "API"
    assert isinstance(run["stats"], dict)
    assert {"build", "timeoutSecs", "memoryMbytes", "diskMbytes"} <= set(run["options"])
    assert (run["status"], run["finishedAt"]) == ("READY", None)


def test_a_compressed_body_is_read_and_a_malformed_one_refused(default_sandbox: SandboxClient) -> None:
    path = f"/v2/actor-tasks/{ZARA_TASK}/runs"
    body = gzip.compress(json.dumps({"urls": ["x" * 2000]}).encode())
    status, _, response = default_sandbox.api(
        "POST", path, body, Content_Encoding="gzip", Content_Type="application/json"
    )
    assert status == 201
    assert response["data"]["stats"]["inputBodyLen"] > 2000
    assert default_sandbox.api("POST", path, b"{", Content_Type="application/json")[0] == 400


def test_wait_for_finish_waits_and_a_run_passes_through_its_states(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, "--run-seconds", "1.5") as sandbox:
        run = sandbox.client().task(ZARA_TASK).start()
        assert run.status == "READY"
        first = sandbox.api("GET", f"/v2/actor-runs/{run.id}")[2]["data"]
        assert first["status"] in ("READY", "RUNNING")
        waited = sandbox.api("GET", f"/v2/actor-runs/{run.id}?waitForFinish=1")[2]["data"]
        assert waited["status"] == "RUNNING"
        result = sandbox.api("GET", f"/v2/actor-runs/{run.id}?waitForFinish=999999")[2]["data"]
        assert result["status"] == "SUCCEEDED"
        waits = [line for line in sandbox.log("apify.run") if "waitForFinish" in line["query"]]
        assert 900 < waits[0]["ms"] < 1400


def test_an_aborted_run_ends_at_once_and_keeps_its_items(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, "--run-seconds", "60") as sandbox:
        run = sandbox.client().task(ZARA_TASK).start()
        assert sandbox.client().run(run.id).abort().status == "ABORTED"
        ended = sandbox.client().run(run.id).wait_for_finish(wait_duration=timedelta(seconds=5))
        assert ended is not None and ended.status == "ABORTED"
        assert sandbox.client().dataset(run.default_dataset_id).list_items().count < 20


def test_item_pages_are_bare_arrays_with_pagination_headers(default_sandbox: SandboxClient) -> None:
    run = default_sandbox.client().task(ZARA_TASK).call()
    assert run is not None
    path = f"/v2/datasets/{run.default_dataset_id}/items"
    status, headers, items = default_sandbox.api("GET", f"{path}?offset=18&limit=5&format=json")
    assert (status, len(items)) == (200, 2)
    names = ("total", "offset", "count", "limit", "desc")
    assert [headers[f"x-apify-pagination-{name}"] for name in names] == ["20", "18", "2", "5", "false"]
    assert default_sandbox.api("GET", f"{path}?offset=20&limit=5")[2] == []
    _, headers, items = default_sandbox.api("GET", f"{path}?desc=1")
    assert (headers["x-apify-pagination-limit"], headers["x-apify-pagination-desc"]) == ("250000", "true")
    assert items == list(reversed(default_sandbox.api("GET", path)[2]))
    _, headers, body = default_sandbox.request(
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
def test_errors_have_the_format_of_apify(
    default_sandbox: SandboxClient, path: str, token: str, status: int, type_: str
) -> None:
    response_headers, headers, body = default_sandbox.request(
        "GET", path, headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    assert (response_headers, json.loads(body)["error"]["type"]) == (status, type_)
    assert headers["content-type"].startswith("application/json")


def test_a_token_in_the_query_is_accepted_and_never_logged(default_sandbox: SandboxClient) -> None:
    assert default_sandbox.request("GET", "/v2/users/me?token=sandbox-token&x=1")[0] == 200
    with pytest.raises(ApifyApiError):
        ApifyClient("very-secret", api_url=f"http://127.0.0.1:{default_sandbox.port}").user("me").get()
    logged = (default_sandbox.state / "requests.jsonl").read_text()
    assert "sandbox-token" not in logged and "very-secret" not in logged
    assert default_sandbox.log("apify.user")[-2]["query"] == "token=***&x=1"


def test_a_restarted_sandbox_remembers_its_runs(tmp_path: Path) -> None:
    with sandbox_client(tmp_path) as sandbox:
        run = sandbox.client().task(ZARA_TASK).call()
        assert run is not None
        sandbox.process.send_signal(signal.SIGKILL)
        sandbox.process.wait(10)
    with sandbox_client(tmp_path) as sandbox:
        last = sandbox.client().task(ZARA_TASK).last_run().get()
        assert last is not None
        assert (last.id, last.status, last.finished_at) == (run.id, "SUCCEEDED", run.finished_at)
        assert len(list(sandbox.client().dataset(run.default_dataset_id).iterate_items())) == 20


def test_a_run_with_the_fault_running_continues_until_aborted(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, "--faults", "apify.run:RUNNING=1") as sandbox:
        client = sandbox.client()
        run = client.task(ZARA_TASK).start()
        run_after_a_second = client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=1))
        assert run_after_a_second is not None
        assert run_after_a_second.status == "RUNNING"
        assert client.run(run.id).abort().status in ("ABORTING", "ABORTED")
