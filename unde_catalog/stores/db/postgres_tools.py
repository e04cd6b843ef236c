"""pg_dump, pg_restore and psql from the wheel, run against a database without a pooler before it.

The password goes to them through their environment, never in an argument that others can see.
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
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.embedded.binaries import find_programs
from unde_catalog.text import first_line

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_CONNECT_SECONDS = 10


class ToolFailed(RuntimeError):
    """A program of PostgreSQL failed; the sentence is its own."""


@dataclass(frozen=True, slots=True)
class Direct:
    """A connection to the server itself, and how its programs reach the same database."""

    connection: psycopg.Connection[DictRow]
    name: str
    major: int
    role: str

    def command(self, program: str, *arguments: str) -> list[str]:
        """The program of the server's version with these arguments, connected to the database."""
        parameters = self.connection.info.get_parameters()
        return [str(self._program(program)), *arguments, "--no-password", "--dbname", make_conninfo(**parameters)]

    def plain_command(self, program: str, *arguments: str) -> list[str]:
        """The program with these arguments, for files alone."""
        return [str(self._program(program)), *arguments]

    def environment(self) -> dict[str, str]:
        """All that the programs are told beside their arguments."""
        password = self.connection.info.password
        return {"PATH": _SYSTEM_PATH, "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})}

    def _program(self, name: str) -> Path:
        if not self.connection.pgconn.ssl_in_use:
            return find_programs(16 if self.major <= 16 else 18) / name  # 18's scripts are nothing for an older server
        found = shutil.which(name, path=_SYSTEM_PATH)
        if found is None:
            raise ToolFailed(
                f"the database {self.name} is reached over TLS, which the {name} that comes with us can't do: "
                f"install PostgreSQL's client programs, version {self.major} or newer"
            )
        return Path(found)


@contextmanager
def direct(url: str, *, label: str = "") -> Iterator[Direct]:
    """A connection past any pooler.

    `DatabaseUnavailable` where the server is away, ValueError where a pooler answers.
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
        assert row is not None  # it always answers
        if row["pid"] != connection.info.backend_pid:  # a pooler answers for itself, and hands us on to a server
            raise ValueError(
                f"a pooler answers at {database.name}, and this needs a session of its own: set BACKUP_DB_URL to the "
                "database's own address (PostgreSQL's port, often 5432)"
            )
        yield Direct(connection, database.name, connection.info.server_version // 10_000, row["role"])
    finally:
        connection.close()


def run(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a program to its end; what it printed. `ToolFailed` with its first complaint."""
    with running(command, environment, stdout=subprocess.PIPE) as program:
        assert program.process.stdout is not None  # it is a pipe
        out = program.process.stdout.read()
        program.must_succeed()
    return out.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Program:
    """A running program; what it complains of goes to a file, so that nobody waits for it to be read."""

    name: str
    process: "subprocess.Popen[bytes]"
    complaints: IO[bytes]

    def must_succeed(self) -> None:
        """Wait for its end; `ToolFailed` with its first error unless it ended well."""
        if self.process.wait():
            self.complaints.seek(0)
            lines = [line.strip() for line in self.complaints.read(100_000).decode(errors="replace").splitlines()]
            lines = [line for line in lines if line] or [f"exit code {self.process.returncode}"]
            first = next((line for line in lines if "error" in line.lower()), lines[0])
            said = re.sub(r"^(psql:\S*?|pg_\w+): |\b(error|ERROR): +", "", first)
            raise ToolFailed(f"{self.name} failed: {said[:500]}")


@contextmanager
def running(command: Sequence[str], environment: dict[str, str], **streams: Any) -> Iterator[Program]:
    """A running program, which does not outlive the block."""
    with tempfile.TemporaryFile() as complaints:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams}
        process = cast(
            "subprocess.Popen[bytes]", subprocess.Popen(command, env=environment, stderr=complaints, **streams)
        )
        try:
            yield Program(Path(command[0]).name, process, complaints)
        finally:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            process.kill()  # nothing, where it has ended
            process.wait()
