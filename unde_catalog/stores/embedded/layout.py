"""The paths of an embedded PostgreSQL and its socket. Nothing is opened here."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

ROLE = "unde"
PORT = 5432  # only part of the socket's name: each server has its own socket folder
SOCKET = f".s.PGSQL.{PORT}"

_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un
_SHORT_ROOT = Path("/tmp")  # not $TMPDIR: all users of one folder must find the same socket
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")  # libpq splits hosts at a comma, SQLAlchemy splits ports at a colon


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below `directory`, which is absolute and free of symbolic links.

    - `in_use_lock`: shared by all users; when the supervisor can lock it exclusively, no user is left.
    - `start_lock`: held while a user checks whether the server runs, and starts it.
    - `supervisor_lock`: held by the supervisor as long as it runs.
    - `server_lock`: inherited by initdb and all processes of the server, so whoever can lock it knows that none of them
      is left, without relying on process ids.
    """

    directory: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.directory / "data"

    @property
    def postmaster_pid(self) -> Path:
        """PostgreSQL's file with its process id; may be stale."""
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
        """The log of initdb, the supervisor and the server; the supervisor keeps it short."""
        return self.directory / "server.log"

    def socket_folder(self) -> Path:
        """`<directory>/socket`, or a short folder in /tmp if that path cannot be used for a socket."""
        folder = self.directory / "socket"
        name = str(folder / SOCKET)
        if len(os.fsencode(name)) <= _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(name):
            return folder
        owner = self.directory.stat().st_uid if self.directory.exists() else os.geteuid()
        digest = hashlib.sha256(f"{owner}:".encode() + os.fsencode(self.directory)).hexdigest()
        return _SHORT_ROOT / f"unde-postgres-{digest[:16]}"

    def url(self, database: str) -> str:
        """The URL of a database for psycopg 3, psycopg2 and SQLAlchemy.

        `ValueError` for a name that needs quoting: libpq decodes %20 in it and SQLAlchemy does not.
        """
        if not _PLAIN_NAME.fullmatch(database):
            raise ValueError(f"a database name may have only letters, digits, - and _, not {database!r}")
        return f"postgresql://{ROLE}@/{database}?host={self.socket_folder()}&port={PORT}"
