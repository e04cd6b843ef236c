"""Debian's PgBouncer as production has it (spec 1): transaction pooling, ten server connections a role, scram.

What it stands before is a server of `servers.py`.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

ABSENT = "PgBouncer is not installed, so the tests go to PostgreSQL directly: apt-get install pgbouncer"

_PORT = 6432  # names the socket only: each has a folder of its own
_CONSOLE_ROLE, _CONSOLE_PASSWORD = "console", "console"  # on a socket in a folder that nobody else may enter
_START_SECONDS = 10
_STEP = 0.01

# server_login_retry is 15 by default: tests take a database away, and don't want to wait so long for its return.
_CONFIG = """
[databases]
* = host={server_folder} port={server_port}

[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = scram-sha-256
auth_file = {folder}/users.txt
admin_users = {console}
pool_mode = transaction
default_pool_size = 10
max_client_conn = 200
server_login_retry = 1
logfile = {folder}/log
"""

# PgBouncer itself sets the five of a client's startup packet.
_LEFT_IN_A_SESSION = """
    SELECT 'SET ' || name || ' = ' || setting FROM pg_settings WHERE source = 'session'
        AND name NOT IN ('client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings', 'application_name')
    UNION ALL SELECT 'prepared ' || statement FROM pg_prepared_statements
    UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
    UNION ALL SELECT 'LISTEN ' || channel FROM pg_listening_channels() AS channel
    UNION ALL SELECT 'temporary ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
    UNION ALL SELECT 'advisory lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
"""


def program() -> str | None:
    """Where PgBouncer is, None where it is not installed; Debian puts it where only root looks."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def ordinary_user() -> dict[str, Any]:
    """`subprocess` arguments for programs that refuse to run as root: then as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class PgBouncer:
    """A PgBouncer that can be killed and started again; where it listens stays the same."""

    def __init__(self, executable: str, folder: Path) -> None:
        """`folder` holds its configuration."""
        self._executable, self._folder = executable, folder
        self._process: subprocess.Popen[Any] | None = None

    def url(self, database: str, role: str, password: str) -> str:
        """A database as that role."""
        return f"postgresql://{role}:{password}@/{database}?host={self._folder}&port={_PORT}"

    def admit(self, role: str, password: str) -> None:
        """Let another role of the server pass."""
        with (self._folder / "users.txt").open("a") as users:
            users.write(f'"{role}" "{password}"\n')
        self.console("RELOAD")

    def console(self, command: str) -> list[dict[str, Any]]:
        """A command of its admin console, e.g. SHOW POOLS."""
        url = self.url("pgbouncer", _CONSOLE_ROLE, _CONSOLE_PASSWORD)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.cursor(row_factory=dict_row).execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def pool(self, database: str) -> list[dict[str, Any]]:
        """What SHOW POOLS says of a database, a row for each role."""
        return [row for row in self.console("SHOW POOLS") if row["database"] == database]

    def start(self) -> None:
        """Start it; returns when it answers."""
        command = [self._executable, "-q", self._folder / "pgbouncer.ini"]
        process: subprocess.Popen[Any] = subprocess.Popen(command, cwd="/", **ordinary_user())
        self._process = process
        for _ in range(int(_START_SECONDS / _STEP)):
            try:
                self.console("SHOW VERSION")
                return
            except psycopg.OperationalError:
                try:
                    process.wait(_STEP)
                except subprocess.TimeoutExpired:
                    continue
            break
        self.kill()
        raise AssertionError(f"PgBouncer did not start:\n{(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def pgbouncer(executable: str, server_url: str) -> Iterator[PgBouncer]:
    """A PgBouncer before the server that a URL of it leads to over a socket; no role may pass yet."""
    server = conninfo_to_dict(server_url)
    folder = Path(tempfile.mkdtemp(prefix="unde-pgb-"))
    try:
        (folder / "users.txt").write_text(f'"{_CONSOLE_ROLE}" "{_CONSOLE_PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            _CONFIG.format(
                folder=folder, port=_PORT, console=_CONSOLE_ROLE,
                server_folder=server["host"], server_port=server.get("port", 5432),
            )
        )  # fmt: skip
        if account := ordinary_user():
            for path in (folder, *folder.iterdir()):
                os.chown(path, account["user"], account["group"])
        running = PgBouncer(executable, folder)
        try:
            running.start()
            yield running
        finally:
            running.kill()
    finally:
        shutil.rmtree(folder)


def session_state(url: str, connections: int) -> list[str]:
    """What earlier users left in the server connections behind a URL: settings, statements, locks and the like.

    So many transactions at once have as many server connections.
    """
    found: list[str] = []
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(psycopg.connect(url, prepare_threshold=None))
            found += [left for (left,) in connection.execute(_LEFT_IN_A_SESSION)]
    return found
