"""`demo` and `up` as a new user runs them: as processes, with an UNDE_HOME of their own."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from nats import connect
from nats.js.errors import NoStreamResponseError

from unde_catalog.stores.embedded import nats

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
PHOTOS = ("photo", "bakai.photo")  # kinds of requests in the sandbox's log


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def environment(home: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**keep, "UNDE_HOME": str(home / ".unde")}


@pytest.fixture(scope="module")
def sandbox_port() -> int:
    return free_port()


def demo(home: Path, environment: dict[str, str], port: int) -> str:
    done = subprocess.run(
        [PROGRAM, "demo", "--sandbox-port", str(port)],
        cwd=home, env=environment, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def first_demo(home: Path, environment: dict[str, str], sandbox_port: int) -> str:
    return demo(home, environment, sandbox_port)


def logged(home: Path, kind: str) -> list[dict[str, Any]]:
    lines = (home / ".unde" / "sandbox" / "requests.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == kind]


def processes_of(home: Path) -> list[psutil.Process]:
    """Processes whose command line or UNDE_HOME names this test's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home) in " ".join(process.cmdline()) or process.environ().get("UNDE_HOME") == str(home / ".unde"):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.timeout(500)
def test_the_demo_makes_every_collage_and_prints_where_they_are(first_demo: str, home: Path) -> None:
    for stage in ("raw_products", "originals", "collages"):
        assert re.search(rf"{stage} +(│ 20 +){{6}}│ 40 +│ +│", first_demo), stage
    requested = re.search(r"(\d+) photos were requested", first_demo)
    assert requested is not None
    paths = [request["path"] for kind in PHOTOS for request in logged(home, kind)]
    assert len(paths) == len(set(paths)) == int(requested[1])
    collages = list((home / ".unde" / "objects" / "collages").glob("*/*.jpg"))
    assert len(collages) == 160
    assert str(home / ".unde" / "objects" / "collages") in first_demo
    assert re.search(r"originals: \d+ done.*/s, 0:\d\d:\d\d left", first_demo)


@pytest.mark.timeout(500)
def test_the_demo_shows_stock_by_store_for_every_brand(first_demo: str) -> None:
    shown = first_demo.partition("Stock")[2]
    rows = [line.split("│")[1] for line in shown.splitlines() if line.startswith("│")]
    assert {row.split(":")[0].strip() for row in rows if ":" in row} == {
        "Zara", "Bershka", "Pull&Bear", "Stradivarius", "Massimo Dutti", "Oysho",
    }  # fmt: skip
    assert shown.count("Dubai Mall") >= 12
    assert re.search(r"│ (XS|S|M|L|XL|none)[, XSML]*│", shown)


@pytest.mark.timeout(500)
def test_a_second_demo_requests_no_photo_and_no_scrape(
    first_demo: str, home: Path, environment: dict[str, str], sandbox_port: int
) -> None:
    before = [len(logged(home, kind)) for kind in (*PHOTOS, "apify.start", "bakai.products")]
    assert before[2:] == [6, 1]
    assert "0 photos were requested" in demo(home, environment, sandbox_port)
    assert [len(logged(home, kind)) for kind in (*PHOTOS, "apify.start", "bakai.products")] == before


@pytest.mark.timeout(500)
def test_no_process_is_left_after_the_demo(first_demo: str, home: Path) -> None:
    gone, alive = psutil.wait_procs(processes_of(home), timeout=20)
    assert not alive, [process.cmdline() for process in alive]


def ask_dagster(port: int, query: str, **variables: Any) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["data"]


@pytest.mark.timeout(500)
def test_the_demo_ends_with_a_search_and_its_url(first_demo: str) -> None:
    shown = first_demo.partition("Similar to Zara: ")[2]
    rows = [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")]
    scores = [float(score) for score in rows]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert re.search(r"http://127\.0\.0\.1:8008/\?like=\d+&of_brand=zara", shown)


@pytest.fixture
def dagster(
    first_demo: str, home: Path, environment: dict[str, str], sandbox_port: int
) -> Iterator[tuple[int, subprocess.Popen[str], int]]:
    """A running `unde-catalog up`: its port, its process and the search page's port."""
    port, search_port, nats_port, media_port = (free_port() for _ in range(4))
    command = [
        PROGRAM, "up", "--port", str(port), "--search-port", str(search_port), "--nats-port", str(nats_port),
        "--sandbox-port", str(sandbox_port),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=home, env={**environment, "USER_MEDIA_PORT": str(media_port)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if f"Dagster's UI: http://127.0.0.1:{port}" in line:
                break
        else:
            pytest.fail("up ended without serving")
        yield port, process, search_port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


MATERIALIZE = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
WHAT_THE_UI_SHOWS = """
{ repositoryOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "unde_catalog"}) {
    ... on Repository { jobs { name runs(limit: 9) { status } } } }
  assetNodes { assetKey { path } isExecutable partitionStats { numMaterialized numPartitions }
    assetMaterializations(limit: 1) { runId }
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } }
"""
WAIT = """
query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }
"""


def assert_the_demo_is_complete_in_the_ui(port: int) -> None:
    """Jobs have a history, every asset and partition is materialized, and every check was evaluated and passed."""
    shown = ask_dagster(port, WHAT_THE_UI_SHOWS)
    runs = {job["name"]: [run["status"] for run in job["runs"]] for job in shown["repositoryOrError"]["jobs"]}
    # Tests that run the demo again on this state add runs.
    brands = {"update_catalog": 7, "find_stores": 6, "check_availability": 6, "publish_catalog": 7, "brand_checks": 7,
              "freshness_checks": 7, "system_checks": 1, "build_report": 1, "record_user_media_days": 1}  # fmt: skip
    assert {status for job in brands for status in runs[job]} == {"SUCCESS"}
    assert {job: runs[job] for job, count in brands.items() if len(runs[job]) < count} == {}
    assets = {one["assetKey"]["path"][-1]: one for one in shown["assetNodes"] if one["isExecutable"]}
    assert [name for name, one in assets.items() if not one["assetMaterializations"]] == []
    stats = {name: one["partitionStats"] for name, one in assets.items() if one["partitionStats"]}
    assert {name: (one["numMaterialized"], one["numPartitions"]) for name, one in stats.items()} == {
        name: (6, 6) if name in ("raw_stores", "availability") else (7, 7) for name in stats
    }
    checks = {
        f"{name}:{check['name']}": check["executionForLatestMaterialization"]
        for name, one in assets.items()
        for check in one["assetChecksOrError"]["checks"]
    }
    assert len(checks) > 30
    assert {name: check for name, check in checks.items() if (check or {}).get("status") != "SUCCEEDED"} == {}


def search(port: int, external_id: str) -> dict[str, Any]:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/api/v1/products/{external_id}/similar?top_k=3", timeout=60
    ) as response:
        return json.load(response)


async def send_a_photo(url: str) -> dict[str, Any]:
    """The response of the user media service to a request for one photo."""
    connection = await connect(url)
    try:
        results = await connection.subscribe("inference_result")
        photo = {"file_id": "AgACAgIAAx", "s3_key": ""}
        request = {"header": "inf", "photo": photo, "bot_id": 1, "user_id": 2, "avatar_id": "a"}
        streams = connection.jetstream()
        while True:  # the service makes its streams when it begins
            try:
                await streams.publish("photo_upload_inf", json.dumps(request).encode())
                break
            except NoStreamResponseError:
                await asyncio.sleep(0.1)
        return json.loads((await results.next_msg(60)).data)
    finally:
        await connection.close()


@pytest.mark.timeout(500)
def test_up_serves_dagster_search_and_user_media_and_stops_cleanly(
    dagster: tuple[int, subprocess.Popen[str], int], home: Path, first_demo: str, environment: dict[str, str]
) -> None:
    port, process, search_port = dagster
    assert_the_demo_is_complete_in_the_ui(port)
    shown = re.search(r"like=(\d+)", first_demo)
    assert shown is not None
    found = search(search_port, shown[1])
    assert found["count"] == 3 and found["results"][0]["product"]["title"] in first_demo
    response = asyncio.run(send_a_photo(nats.address(home / ".unde") or ""))
    assert response["message"] == "Photo uploaded successfully"
    assert (home / ".unde" / "people" / response["upload_result"]["s3_key"]).is_file()
    family = psutil.Process(process.pid).children(recursive=True)
    (serving,) = [one for one in family if one.cmdline()[-4:-1] == ["search", "serve", "--port"]]
    serving.kill()
    assert process.stdout is not None
    assert any("The search API was started again." in line for line in process.stdout)
    second = subprocess.run([PROGRAM, "up"], cwd=home, env=environment, capture_output=True, text=True, timeout=60)
    assert (second.returncode, f"Already running, at http://127.0.0.1:{port} " in second.stdout) == (0, True)
    photos = len(logged(home, "photo"))
    selector = {
        "repositoryLocationName": "unde_catalog", "repositoryName": "__repository__", "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": ["originals"]}],
    }  # fmt: skip
    launched = ask_dagster(
        port, MATERIALIZE,
        params={
            "selector": selector, "mode": "default",
            "runConfigData": {"ops": {"originals": {"config": {"force": True, "limit": 5}}}},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "zara"}]},
        },
    )["launchRun"]  # fmt: skip
    assert launched["__typename"] == "LaunchRunSuccess", launched
    status = ""
    for _ in range(600):
        status = ask_dagster(port, WAIT, id=launched["run"]["runId"])["runOrError"]["status"]
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            break
        threading.Event().wait(0.2)  # polls a run of another process
    assert status == "SUCCESS", (home / ".unde" / "logs" / "dagster.log").read_text()[-3000:]
    assert len(logged(home, "photo")) > photos
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    gone, alive = psutil.wait_procs(processes_of(home), timeout=20)
    assert not alive, [one.cmdline() for one in alive]


def test_a_port_in_use_is_reported_at_once(home: Path, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = subprocess.run(
            [PROGRAM, "up", "--port", str(port)], cwd=home, env=environment, capture_output=True, text=True
        )
        assert (up.returncode, f"in use by process {os.getpid()} (" in up.stderr) == (1, True)
        demo = subprocess.run(
            [PROGRAM, "demo", "--sandbox-port", str(port)], cwd=home, env=environment, capture_output=True, text=True
        )
        assert (demo.returncode, f"in use by process {os.getpid()} (" in demo.stderr) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [PROGRAM, "demo", "--sandbox-port", str(free_port())]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**keep, "UNDE_HOME": str(tmp_path / ".unde")}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    next(line for line in process.stdout if "originals:" in line)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    gone, alive = psutil.wait_procs(processes_of(tmp_path), timeout=20)
    assert not alive, [one.cmdline() for one in alive]


def test_the_demo_refuses_a_configured_database(home: Path, environment: dict[str, str]) -> None:
    real = {**environment, "STAGING_DB_URL": "postgresql://role:planted@127.0.0.1:1/unde_staging"}
    done = subprocess.run([PROGRAM, "demo"], cwd=home, env=real, capture_output=True, text=True)
    assert done.returncode == 1
    assert "unset STAGING_DB_URL" in done.stderr
    assert "planted" not in done.stderr + done.stdout
