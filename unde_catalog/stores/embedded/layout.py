"""What lies where in an embedded PostgreSQL's folder, and where its socket is; nothing is opened here."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROLE = "unde"
PORT = 5432  # only names the socket: each server has a socket folder of its own
SOCKET = f".s.PGSQL.{PORT}"

_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un
_SHORT_ROOT = Path("/tmp")  # not $TMPDIR: all users of one folder must find the same socket
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")  # a comma would part hosts for libpq, a colon ports for SQLAlchemy


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `directory`, which is absolute and free of symbolic links.

    - `in_use_lock`: shared by every user; the supervisor holding it alone means that nobody is left.
    - `start_lock`: held while a user looks whether the server lives and has it started.
    - `supervisor_lock`: held by the supervisor as long as it lives.
    - `server_lock`: inherited by initdb and by every process of the server, so whoever gets it knows that none is
      left, without trusting any process number.
    """

    directory: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.directory / "data"

    @property
    def postmaster_pid(self) -> Path:
        """PostgreSQL's own note of its process; may be stale."""
        return self.data / "postmaster.pid"

    @property
    def in_use_lock(self) -> Path:
        """See the class."""
        return self.directory / "in_use.lock"

    @property
    def start_lock(self) -> Path:
        """See the class."""
        return self.directory / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """See the class."""
        return self.directory / "supervisor.lock"

    @property
    def server_lock(self) -> Path:
        """See the class."""
        return self.directory / "server.lock"

    @property
    def log(self) -> Path:
        """What initdb, the supervisor and the server have to say; kept short by the supervisor."""
        return self.directory / "server.log"

    def socket_folder(self) -> Path:
        """`<directory>/socket`, or a short folder in /tmp where that path does not suit a socket."""
        folder = self.directory / "socket"
        name = str(folder / SOCKET)
        if len(os.fsencode(name)) <= _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(name):
            return folder
        owner = self.directory.stat().st_uid if self.directory.exists() else os.geteuid()
        digest = hashlib.sha256(f"{owner}:".encode() + os.fsencode(self.directory)).hexdigest()
        return _SHORT_ROOT / f"unde-postgres-{digest[:16]}"

    def url(self, database: str) -> str:
        """The address of that database for psycopg 3, psycopg2 and SQLAlchemy.

        `ValueError` for a name that needs quoting: libpq decodes %20 in it and SQLAlchemy does not.
        """
        if not _PLAIN_NAME.fullmatch(database):
            raise ValueError(f"a database name of letters, digits, - and _ is needed, not {database!r}")
        return f"postgresql://{ROLE}@/{database}?host={self.socket_folder()}&port={PORT}"
