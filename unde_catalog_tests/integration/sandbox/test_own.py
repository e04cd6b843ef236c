"""The sandbox that belongs to a state: its port and token, and who is refused."""

import json
import stat
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from unde_catalog_tests.support.own_sandboxes import running_own_sandbox


def apify_user(url: str, token: str) -> str:
    request = urllib.request.Request(f"{url}/v2/users/me", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)["data"]["username"]


def test_the_token_is_private_and_no_response_contains_it(tmp_path: Path) -> None:
    with running_own_sandbox(tmp_path) as (own, process):
        assert stat.S_IMODE((tmp_path / "sandbox" / "token").stat().st_mode) == 0o600
        assert own.token not in repr(own)
        assert own.pid() == process.pid
        for path in ("/_health", "/_health?challenge=abc"):
            with urllib.request.urlopen(own.url + path, timeout=10) as response:
                assert own.token not in response.read().decode()
    assert not own.runs()


def test_the_sandbox_of_another_state_is_not_taken_for_the_own(tmp_path: Path) -> None:
    with running_own_sandbox(tmp_path / "a") as (first, _), running_own_sandbox(tmp_path / "b") as (second, _):
        assert first.port != second.port
        assert first.token != second.token
        assert not replace(first, port=second.port).runs()
        assert apify_user(first.url, first.environment()["APIFY_TOKEN"]) == "sandbox"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            apify_user(second.url, first.environment()["APIFY_TOKEN"])


def test_the_port_stays_the_same(tmp_path: Path) -> None:
    with running_own_sandbox(tmp_path, "--port", "0") as (first, _):
        pass
    with running_own_sandbox(tmp_path) as (again, _):
        assert again == first
