"""Runs pg_dump, pg_restore and psql of the wheel against a database, past any pooler.

They get the password from their environment, never from an argument that other users could see.
"""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.db.sessions import LOCK_SECONDS, lock_wait
from unde_catalog.stores.embedded.binaries import find_programs
from unde_catalog.text import first_line

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_CONNECT_SECONDS = 10


class ToolFailed(RuntimeError):
    """A program of PostgreSQL failed; the message is its own."""


@dataclass(frozen=True, slots=True)
class Direct:
    """A connection to the server itself, and the command lines of PostgreSQL's programs for the same database."""

    connection: psycopg.Connection[DictRow]
    name: str
    major: int
    role: str

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program of the server's version, connected to the database."""
        parameters = self.connection.info.get_parameters()
        return [str(self._program(program)), *arguments, "--no-password", "--dbname", make_conninfo(**parameters)]

    def plain_command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program that only works on files."""
        return [str(self._program(program)), *arguments]

    def environment(self) -> dict[str, str]:
        """The whole environment of the programs."""
        password = self.connection.info.password
        return {"PATH": _SYSTEM_PATH, "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})}

    def _program(self, name: str) -> Path:
        if not self.connection.pgconn.ssl_in_use:
            return (
                find_programs(16 if self.major <= 16 else 18) / name
            )  # an older server cannot run scripts of version 18
        found = shutil.which(name, path=_SYSTEM_PATH)
        if found is None:
            raise ToolFailed(
                f"the database {self.name} needs TLS, which the bundled {name} does not support: "
                f"install PostgreSQL's client programs, version {self.major} or newer"
            )
        return Path(found)


@contextmanager
def direct(url: str, *, label: str = "") -> Iterator[Direct]:
    """A connection past any pooler.

    `DatabaseUnavailable` if the server cannot be reached or another session does not release a lock, ValueError if a
    pooler accepts the connection.
    """
    database = Database(url, label=label)
    try:
        connection = psycopg.Connection[DictRow].connect(
            url, autocommit=True, connect_timeout=_CONNECT_SECONDS, row_factory=dict_row
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{database.title} can't be used: {first_line(error)}", database=label) from error
    try:
        row = connection.execute("SELECT pg_backend_pid() AS pid, current_user AS role").fetchone()
        assert row is not None  # a SELECT without FROM returns one
        if row["pid"] != connection.info.backend_pid:  # the pooler has process ids of its own
            raise ValueError(
                f"{database.name} is a pooler, and this needs its own session: set BACKUP_DB_URL to the database's own "
                "address (PostgreSQL's port, often 5432)"
            )
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'".encode())
        yield Direct(connection, database.name, connection.info.server_version // 10_000, row["role"])
    except errors.LockNotAvailable as error:
        connection.rollback()
        with connection.cursor() as cursor:
            reason = lock_wait(cursor, LOCK_SECONDS, by_readers=True)
        raise DatabaseUnavailable(f"{database.title} can't be used: {reason}", database=label, refused=True) from error
    finally:
        connection.close()


def run(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a program to its end and return its output; `ToolFailed` with its first error."""
    with running(command, environment, stdout=subprocess.PIPE) as program:
        assert program.process.stdout is not None  # it is a pipe
        out = program.process.stdout.read()
        program.must_succeed()
    return out.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Program:
    """A running program; its standard error goes to a file, so that it never blocks."""

    name: str
    process: "subprocess.Popen[bytes]"
    stderr: IO[bytes]

    def must_succeed(self) -> None:
        """Wait for its end; `ToolFailed` with its first error unless it succeeded."""
        if self.process.wait():
            self.stderr.seek(0)
            lines = [line.strip() for line in self.stderr.read(100_000).decode(errors="replace").splitlines()]
            lines = [line for line in lines if line] or [f"exit code {self.process.returncode}"]
            first = next((line for line in lines if "error" in line.lower()), lines[0])
            message = re.sub(r"^(psql:\S*?|pg_\w+): |\b(error|ERROR): +", "", first)
            raise ToolFailed(f"{self.name} failed: {message[:500]}")


@contextmanager
def running(command: Sequence[str], environment: dict[str, str], **streams: Any) -> Iterator[Program]:
    """A running program; it is killed at the end of the block."""
    with tempfile.TemporaryFile() as stderr:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams}
        process = cast("subprocess.Popen[bytes]", subprocess.Popen(command, env=environment, stderr=stderr, **streams))
        try:
            yield Program(Path(command[0]).name, process, stderr)
        finally:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            process.kill()  # no effect if it has ended
            process.wait()
