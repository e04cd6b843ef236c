"""Real servers for tests: PostgreSQL of several versions, and the sandbox as a process of its own."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest

from unde_catalog.embedded.postgres import EmbeddedPostgres
from unde_catalog.sandbox.serve import environment
from unde_catalog.staging import migrate

PROJECT = Path(__file__).parents[1]
REAL_DATA = PROJECT.parent / "shared" / "data"
_TEMPLATE = "template_staging"


class Server:
    """A running PostgreSQL that hands out migrated databases."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
        migrate.upgrade(self.url(_TEMPLATE))

    def url(self, database: str) -> str:
        return self._admin_url.replace("/postgres?", f"/{database}?")

    def new_database(self, *, migrated: bool = True) -> str:
        """The URL of a fresh database."""
        name = f"t_{uuid.uuid4().hex}"
        template = _TEMPLATE if migrated else "template0"
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.split("?")[0].rsplit("/", 1)[1]
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            connection.execute(f"DROP DATABASE {name}".encode())

    def set_now(self, url: str, moment: str | None) -> None:
        """What unde_now() answers to connections that are made from now on; None: the real time."""
        name = url.split("?")[0].rsplit("/", 1)[1]
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            action = "RESET unde.now" if moment is None else f"SET unde.now = '{moment}'"
            connection.execute(f"ALTER DATABASE {name} {action}".encode())


def missing(what: str) -> NoReturn:
    """Skip with a sentence on a user's machine; a failure where CI says that all is installed."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def debian_postgres_bin() -> Path | None:
    """The programs of Debian's newest PostgreSQL, None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def wheel_server(major: int) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="unde-pg-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "pg", major) as postgres:  # type: ignore[arg-type]
            yield Server(postgres.url("postgres"))


@contextmanager
def debian_server(programs: Path) -> Iterator[Server]:
    """Debian's PostgreSQL on a folder of its own; as root, the server runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="unde-pg-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = folder / "data"
    try:
        initdb = [programs / "initdb", "-D", data, "-U", "unde", "--no-locale", "-E", "UTF8", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w"]
        start = [*control, "-o", options, "-l", folder / "log", "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
        try:
            yield Server(f"postgresql://unde@/postgres?host={folder}")
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
    finally:
        shutil.rmtree(folder)


class Sandbox:
    """A running sandbox: its address, the environment for its clients, and its request log."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url, self.process = url, process
        self.port = int(url.rsplit(":", 1)[1])
        self.environment = environment(self.port)

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        query = f"?kind={kind}" if kind else ""
        with urllib.request.urlopen(f"{self.url}/_log{query}", timeout=10) as answer:
            return json.load(answer)["requests"]

    def control(self, **changes: Any) -> None:
        """Change what the next scrape finds (see the sandbox's control.py)."""
        body = json.dumps(changes).encode()
        request = urllib.request.Request(f"{self.url}/_control", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def running_sandbox(state_dir: Path, *arguments: str) -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", "0", "--state-dir", str(state_dir), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready at " in line, f"the sandbox did not start: {line!r}"
        yield Sandbox(line.split("ready at ")[1].split()[0], process)
    finally:
        process.terminate()
        process.wait(20)
