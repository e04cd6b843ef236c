"""Real servers for tests: PostgreSQL of several versions, and the sandbox as a process."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from psycopg import sql

from unde_catalog.sandbox.own import environment
from unde_catalog.stores.embedded.postgres import EmbeddedPostgres
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.pgbouncer import PgBouncer, ordinary_user, session_state
from unde_catalog_tests.support.sandbox_starter import SandboxProcess, SandboxStarter

PROJECT = Path(__file__).parents[2]
REAL_DATA = PROJECT.parent / "shared" / "data"
_TEMPLATE = "template_staging"
_PRODUCTION_TEMPLATE = "template_production"
_ROLE, _PASSWORD = "undeuser", "not-a-secret"
_ACCESS = "local all unde trust\nlocal all all scram-sha-256\n"  # pg_hba.conf; only the administrator needs no password


_THROWAWAY = ("fsync = off", "full_page_writes = off", "max_wal_size = '1GB'", "checkpoint_timeout = '1h'")
_MEMORY = Path("/dev/shm")
_MEMORY_PER_PROCESS = 3 * 2**30  # bytes: the log of transactions, and the databases of the largest test


class Server:
    """A running PostgreSQL that provides migrated databases, through PgBouncer if there is one."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.pgbouncer: PgBouncer | None = None
        with psycopg.connect(admin_url, autocommit=True) as connection:
            row = connection.execute("SELECT current_setting('hba_file')").fetchone()
            assert row is not None
            Path(row[0]).write_text(_ACCESS)
            connection.execute("SELECT pg_reload_conf()")
            role = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
            connection.execute(role.format(sql.Identifier(_ROLE), sql.Literal(_PASSWORD)))
            for template in (_TEMPLATE, _PRODUCTION_TEMPLATE):
                connection.execute(f"CREATE DATABASE {template} OWNER {_ROLE}".encode())
        STAGING.upgrade(self.url(_TEMPLATE))
        PRODUCTION.upgrade(self.url(_PRODUCTION_TEMPLATE))

    def skip_durability(self) -> None:
        """Write without waiting for the disk: most of a test's time with a database is its creation."""
        for setting in _THROWAWAY:
            self._administer(f"ALTER SYSTEM SET {setting}")
        self._administer("SELECT pg_reload_conf()")

    def use_pgbouncer(self, pgbouncer: PgBouncer) -> None:
        """Return URLs through this PgBouncer from now on."""
        pgbouncer.admit(_ROLE, _PASSWORD)
        self.pgbouncer = pgbouncer

    def url(self, database: str) -> str:
        """The URL of a database for the code under test."""
        if self.pgbouncer is not None:
            return self.pgbouncer.url(database, _ROLE, _PASSWORD)
        return self.past_poolers(database)

    def past_poolers(self, database: str) -> str:
        """The URL past any PgBouncer, for a name or URL of a database."""
        return self.direct_url(database).replace("//unde@", f"//{_ROLE}:{_PASSWORD}@")

    def direct_url(self, database: str) -> str:
        """The URL as administrator, past any PgBouncer, for a name or URL of a database."""
        return self.admin_url.replace("/postgres?", f"/{_name(database)}?")

    def new_database(self, *, migrated: bool = True, encoding: str = "UTF8") -> str:
        """Create a database. Returns its URL. Another encoding than UTF8 needs `migrated=False`."""
        return self._new_database(_TEMPLATE if migrated else "template0", encoding)

    def new_production_database(self) -> str:
        """Create a migrated production database. Returns its URL."""
        return self._new_database(_PRODUCTION_TEMPLATE)

    def _new_database(self, template: str, encoding: str = "UTF8") -> str:
        name = f"t_{uuid.uuid4().hex}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {_ROLE} ENCODING {encoding}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database and terminate its connections."""
        self._administer(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def session_state(self, url: str) -> list[str]:
        """The session state left in the pooled connections of a database, which must not be in use."""
        if self.pgbouncer is None:
            return []
        rows = self.pgbouncer.pool(_name(url))
        return session_state(url, sum(row["sv_idle"] + row["sv_used"] for row in rows))

    def set_now(self, url: str, moment: str | None) -> None:
        """Set the value of unde_now() for new connections; None means the real time."""
        action = "RESET unde.now" if moment is None else f"SET unde.now = '{moment}'"
        self._administer(f"ALTER DATABASE {_name(url)} {action}")
        if self.pgbouncer is not None:
            self.pgbouncer.console("RECONNECT")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _name(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[-1]


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it in CI, where everything is installed."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def debian_postgres_bin() -> Path | None:
    """The folder with the programs of Debian's newest PostgreSQL, or None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _fast_folder() -> Path | None:
    """Where a database is created and dropped fast: in memory, if there is plenty of it; None for the usual folder."""
    needed = _MEMORY_PER_PROCESS * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > needed else None


@contextmanager
def wheel_server(major: int) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="unde-pg-", dir=_fast_folder()) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "pg", major) as postgres:  # type: ignore[arg-type]
            yield Server(postgres.url("postgres"))


@contextmanager
def server_of(programs: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """Run PostgreSQL with these programs and settings in its own folder. If this process is root, it runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="unde-pg-", dir=_fast_folder()))
    account = ordinary_user()
    if account:
        os.chown(folder, account["user"], account["group"])
    data = folder / "data"
    try:
        initdb = [programs / "initdb", "-D", data, "-U", "unde", "--no-locale", "-E", "UTF8", "-A", "trust", "-N"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)
        all_settings = {"listen_addresses": "", "unix_socket_directories": str(folder), **settings}
        options = " ".join(f"-c {name}='{value}'" for name, value in all_settings.items())
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


def debian_server(programs: Path) -> AbstractContextManager[Server]:
    """Debian's PostgreSQL without fsync."""
    return server_of(programs, {"fsync": "off"})


class Sandbox:
    """A running sandbox: its URL, the environment for its clients, and its request log."""

    def __init__(self, url: str, process: SandboxProcess) -> None:
        self.url, self.process = url, process
        self.port = int(url.rsplit(":", 1)[1])
        self.environment = environment(self.port)

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        query = f"?kind={kind}" if kind else ""
        with urllib.request.urlopen(f"{self.url}/_log{query}", timeout=10) as response:
            return json.load(response)["requests"]

    def control(self, **changes: Any) -> None:
        """Send a control request (see the sandbox's control.py)."""
        body = json.dumps(changes).encode()
        request = urllib.request.Request(f"{self.url}/_control", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def running_sandbox(state_dir: Path, *arguments: str) -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory(prefix="unde-sandbox-") as folder:
        output = Path(folder) / "output"
        os.mkfifo(output)
        process = _sandbox_starter().start(["--port", "0", "--state-dir", str(state_dir), *arguments], output)
        try:
            with output.open() as lines:  # the sandbox writes a single line
                line = lines.readline()
                assert "ready at " in line, f"the sandbox did not start: {line!r}"
                yield Sandbox(line.split("ready at ")[1].split()[0], process)
        finally:
            process.terminate()
            process.wait(20)


@cache
def _sandbox_starter() -> SandboxStarter:
    return SandboxStarter()
