"""The sandbox as `up` and `demo` keep it: joined or started, started again, and refused a port that is in use."""

import io
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from unde_catalog.local.own_sandbox import SandboxService
from unde_catalog.local.ports import listener
from unde_catalog.local.processes import CannotStart
from unde_catalog.local.service import LocalService, Restarts
from unde_catalog_tests.support.own_sandboxes import running_own_sandbox


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=300)


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def poll(condition, message: str) -> None:
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)  # another process ends or starts
    pytest.fail(message)


def test_a_killed_sandbox_is_started_again_on_its_port(console: Console, tmp_path: Path) -> None:
    with SandboxService(console, tmp_path, 0) as service:
        pid = service.address.pid()
        assert pid is not None and service.keep_running() is None
        os.kill(pid, 9)
        poll(lambda: service.ended, "it did not end")
        ended = service.keep_running()
        assert ended is not None and "The sandbox was ended by SIGKILL" in ended
        said: list[str | None] = []
        poll(lambda: said.append(service.keep_running()) or said[-1], "it was not started again")
        assert said[-1] == "The sandbox was started again."
        poll(service.address.runs, "it does not respond")
        assert service.address.pid() != pid
    assert not service.address.runs()


def test_a_joined_sandbox_is_left_running_and_replaced_when_it_ends(console: Console, tmp_path: Path) -> None:
    with running_own_sandbox(tmp_path, "--port", "0") as (own, process):
        with SandboxService(console, tmp_path, None) as service:
            assert service.address == own
        assert own.pid() == process.pid
        with SandboxService(console, tmp_path, None) as service:
            process.kill()
            process.wait(10)
            replaced = service.keep_running()
            assert replaced is not None and f"process {process.pid}, ended. Another one was started" in replaced
            poll(own.runs, "no other sandbox runs")
            assert own.pid() != process.pid
        assert not own.runs()


def test_a_program_on_the_sandboxes_port_is_named(console: Console, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        who = f"process {os.getpid()} ("
        assert who in (listener(port) or "")
        with pytest.raises(CannotStart, match=rf"port {port} of the sandbox is in use by process {os.getpid()} \("):
            SandboxService(console, tmp_path, port)
    assert listener(port) is None
    with SandboxService(console, tmp_path, port) as service:
        assert service.address.port == port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(CannotStart, match="keep their old addresses"):
        SandboxService(console, tmp_path, None)


def test_restarts_wait_longer_each_time_and_end() -> None:
    restarts = Restarts(limit=4, window=600)
    assert [restarts.wait_after_end(now) for now in (0, 10, 20, 30)] == [1, 2, 4, None]
    restarts = Restarts(limit=3, window=600)
    assert [restarts.wait_after_end(now) for now in (0, 10, 1000)] == [1, 2, 1]


def test_a_server_that_keeps_ending_is_given_up(tmp_path: Path) -> None:
    now = 0.0
    command = [sys.executable, "-c", "import sys; sys.exit('no such table')"]
    with LocalService("The index", command, tmp_path / "log", dict(os.environ), clock=lambda: now) as service:
        said = []
        while not service.given_up:
            poll(lambda: service.ended, "it did not end")
            said.append(service.keep_running() or "")
            assert service.keep_running() is None  # it waits
            now += 8
            said.append(service.keep_running() or "")
    assert "The index ended with status 1" in said[0] and "no such table" in said[0]
    assert said[1] == "The index was started again."
    assert "The index ended 5 times within minutes and is not started again." in said[-2]
