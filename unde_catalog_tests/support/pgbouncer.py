"""Debian's PgBouncer as in production: transaction pooling, ten server connections per role, SCRAM.

Its server is one of `servers.py`.
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

_PORT = 6432  # only in the name of the socket; each pooler has its own folder
_CONSOLE_ROLE, _CONSOLE_PASSWORD = "console", "console"  # the socket is in a private folder
_START_SECONDS = 10
_STEP = 0.01

# The default of server_login_retry is 15 seconds, too long for tests that stop a database.
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

# PgBouncer itself sets the five settings of a client's startup packet.
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
    """The path of PgBouncer, or None if it is not installed. Debian puts it in a folder of root's PATH."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def ordinary_user() -> dict[str, Any]:
    """`subprocess` arguments that run a program as `nobody` if this process is root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class PgBouncer:
    """A PgBouncer that can be killed and restarted on the same socket."""

    def __init__(self, executable: str, folder: Path) -> None:
        """`folder` holds its configuration."""
        self._executable, self._folder = executable, folder
        self._process: subprocess.Popen[Any] | None = None

    def url(self, database: str, role: str, password: str) -> str:
        """The URL of a database for this role."""
        return f"postgresql://{role}:{password}@/{database}?host={self._folder}&port={_PORT}"

    def admit(self, role: str, password: str) -> None:
        """Allow another role of the server to connect."""
        with (self._folder / "users.txt").open("a") as users:
            users.write(f'"{role}" "{password}"\n')
        self.console("RELOAD")

    def console(self, command: str) -> list[dict[str, Any]]:
        """Run a command of the admin console, such as SHOW POOLS."""
        url = self.url("pgbouncer", _CONSOLE_ROLE, _CONSOLE_PASSWORD)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.cursor(row_factory=dict_row).execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def pool(self, database: str) -> list[dict[str, Any]]:
        """The rows of SHOW POOLS for a database, one per role."""
        return [row for row in self.console("SHOW POOLS") if row["database"] == database]

    def start(self) -> None:
        """Start PgBouncer and wait until it responds."""
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
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def pgbouncer(executable: str, server_url: str) -> Iterator[PgBouncer]:
    """Run PgBouncer for the server with this socket URL. No role may connect yet."""
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
