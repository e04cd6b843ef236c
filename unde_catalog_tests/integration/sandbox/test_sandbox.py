"""The sandbox as a process: its request log, faults, start-up errors, and the environment for its clients."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from unde_catalog.sandbox.own import environment
from unde_catalog_tests.support.sandbox_client import ZARA_TASK, SandboxClient, sandbox_client


def test_every_request_is_logged(default_sandbox: SandboxClient) -> None:
    default_sandbox.request("DELETE", "/_log")
    default_sandbox.request("GET", "/nothing/here?a=b", headers={"User-Agent": "tester/1"})
    response = json.loads(default_sandbox.request("GET", "/_log")[2])
    line = next(line for line in response["requests"] if line["path"] == "/nothing/here")
    assert set(line) == {
        "time", "kind", "method", "path", "query", "status", "bytes", "ms", "open", "user_agent",
    }  # fmt: skip
    assert (line["method"], line["query"], line["status"], line["user_agent"]) == ("GET", "a=b", 404, "tester/1")
    default_sandbox.request("GET", "/later")
    later = json.loads(default_sandbox.request("GET", f"/_log?since={response['next']}&kind=other")[2])["requests"]
    assert [line["path"] for line in later] == ["/later"]
    health = json.loads(default_sandbox.request("GET", "/_health")[2])
    assert (health["sandbox"], health["pid"]) == (True, default_sandbox.process.pid)


def test_configured_faults_are_applied(tmp_path: Path, data_folder: Path) -> None:
    with sandbox_client(tmp_path / "a", "--data", str(data_folder), "--faults", "photo:503x2=1") as sandbox:
        assert [sandbox.request("GET", "/photos/c.webp")[0] for _ in range(4)] == [503, 503, 200, 200]
    with sandbox_client(tmp_path / "b", "--data", str(data_folder), "--faults", "photo:truncated=1") as sandbox:
        with pytest.raises(http.client.IncompleteRead):
            sandbox.request("GET", "/photos/a%20b.png")
        assert sandbox.log("photo")[0]["status"] == 200
    with sandbox_client(
        tmp_path / "c", "--data", str(data_folder), "--faults", "photo:html=1, apify.run:FAILEDx1=1"
    ) as sandbox:
        assert sandbox.request("GET", "/photos/c.webp")[2].startswith(b"<!DOCTYPE html>")
        failed, fine = (sandbox.client().task(ZARA_TASK).call() for _ in range(2))
        assert failed is not None and fine is not None
        assert (failed.status, fine.status) == ("FAILED", "SUCCEEDED")


def test_the_timeout_fault_keeps_the_connection_open(tmp_path: Path, data_folder: Path) -> None:
    with sandbox_client(tmp_path / "a", "--data", str(data_folder), "--faults", "photo:timeout=1") as sandbox:
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=0.3)
        connection.request("GET", "/photos/c.webp")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
        assert sandbox.request("GET", "/_health")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faults", "photo:404"], "KIND:FAULT[xTIMES]=SHARE"),
        (["--faults", "photo:404=2"], "from 0 to 1"),
        (["--faults", "photo:flood=1"], "unknown fault 'flood'"),
        (["--data", "/nowhere/at/all"], "is not a folder"),
        (["--port", "{busy}"], "is in use"),
    ],
)
def test_a_sandbox_that_cannot_start_reports_the_reason(tmp_path: Path, arguments: list[str], message: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        filled = [argument.format(busy=other.getsockname()[1]) for argument in arguments]
        command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", "0", "--state-dir", str(tmp_path), *filled]
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, env=dict(os.environ))
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_environment_points_every_client_at_the_sandbox() -> None:
    variables = environment(8790)
    assert variables["APIFY_TOKEN"] == "sandbox-token"
    assert variables["APIFY_API_URL"] == "http://127.0.0.1:8790"
    assert variables["APIFY_TASK_ZARA"] == ZARA_TASK
    tasks = [value for name, value in variables.items() if name.startswith("APIFY_TASK_")]
    assert len(set(tasks)) == 6
    assert all(len(task) == 17 and task.isalnum() for task in tasks)
    elsewhere = re.compile(r"APIFY_|BAKAI_|STOCK_|.*_STOCK_|.*_SHOP_|.*_USER_AGENT|DUBAI_")
    rest = {name: value for name, value in variables.items() if not elsewhere.match(name)}
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


def test_the_environment_points_every_brand_at_its_stores() -> None:
    variables = environment(8790)
    assert variables["STOCK_REQUEST_GAP"] == "0"
    for brand in ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho"):
        url = f"http://127.0.0.1:8790/shops/{brand}"
        assert variables[f"{brand.upper()}_STOCK_API_URL"] == variables[f"{brand.upper()}_SHOP_FINDER_URL"] == url
        assert variables[f"{brand.upper()}_STOCK_CHANNEL"].isdigit()
        assert all(shop.isdigit() for shop in variables[f"DUBAI_{brand.upper()}_STORES"].split(","))
        assert "App/15.10.0 (sandbox)" in variables[f"{brand.upper()}_USER_AGENT"]
    assert variables["ZARA_USER_AGENT"] == "ZaraApp/15.10.0 (sandbox)"
