"""Processes that use an embedded PostgreSQL, and the folder of its server, for tests."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from unde_catalog.stores.embedded.cluster import is_alive
from unde_catalog.stores.embedded.layout import SOCKET, Layout
from unde_catalog.stores.embedded.locks import FileLock
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog.stores.embedded.privileges import make_private_folder, server_account
from unde_catalog_tests.support.servers import PROJECT

IS_ROOT = os.geteuid() == 0

LIMIT = 20.0  # seconds to wait for something to happen


# Prints a word when it runs, acquires the server after a line of input, and stays until its input ends.
USER_PROGRAM = """
import sys
from pathlib import Path
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
print("running", flush=True)
sys.stdin.readline()
with EmbeddedPostgres(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:.0f} s: {what}"
        threading.Event().wait(0.01)


class User:
    """Another process that uses the server of a folder."""

    def __init__(self, directory: Path, packages: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(directory)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), *sys.path])} if packages else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.expect("running")

    def expect(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(LIMIT) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT)


class ServerFolder:
    """A folder for one server, and the processes that use it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.layout = Layout(directory.resolve())
        self.users: list[User] = []

    def user(self, *, begun: bool = True, packages: Path | None = None) -> User:
        user = User(self.directory, packages)
        self.users.append(user)
        if begun:
            user.begin()
            user.expect("ready")
        return user

    def server(self) -> psutil.Process:
        return psutil.Process(int(self.layout.postmaster_pid.read_text().split("\n")[0]))

    def supervisors(self) -> list[psutil.Process]:
        arguments = ["unde_catalog.stores.embedded.supervisor", str(self.layout.directory)]
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE and (process.info["cmdline"] or [])[2:4] == arguments
        ]

    def is_idle(self) -> bool:
        """Whether there is neither a supervisor nor any process of a server."""
        for path in (self.layout.supervisor_lock, self.layout.server_lock):
            if path.exists():
                with FileLock(path) as lock:
                    if not lock.take():
                        return False
        return True


def kill(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def wait_for_end(process: psutil.Process) -> None:
    """Wait for the end of a process, which may remain a zombie for a while."""
    wait_until(lambda: not is_alive(process), f"{process} ends")


def store(postgres: EmbeddedPostgres, value: int) -> None:
    with psycopg.connect(postgres.url("postgres")) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def stored(postgres: EmbeddedPostgres) -> list[int]:
    with psycopg.connect(postgres.url("postgres")) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM kept ORDER BY value")]


def write_postmaster_pid(server_folder: ServerFolder, pid: int) -> None:
    """Write the file of a killed server with the pid of a process that the server's account may signal."""
    account = server_account(server_folder.layout)
    make_private_folder(server_folder.layout.socket_folder(), account)
    for path in (server_folder.layout.postmaster_pid, server_folder.layout.socket_folder() / f"{SOCKET}.lock"):
        path.write_text(f"{pid}\n{server_folder.layout.data}\n1700000000\n5432\n\n\n0 0\nready   \n")
        os.chown(path, account.uid, account.gid)


def spawn_as_server_account(server_folder: ServerFolder, *command: str) -> subprocess.Popen[bytes]:
    account = server_account(server_folder.layout)
    if not IS_ROOT:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return subprocess.Popen(
        command, cwd="/", stdin=subprocess.PIPE, user=account.uid, group=account.gid, extra_groups=[]
    )
