"""The embedded PostgreSQL for its users. The process that keeps it running is in `supervisor.py`."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import pq, sql

from unde_catalog.stores.embedded.binaries import Major, find_programs
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.embedded.layout import Layout
from unde_catalog.stores.embedded.locks import FileLock, open_private
from unde_catalog.stores.embedded.privileges import check_private_folder, server_account

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_PAUSE = 0.02  # seconds between two checks whether the server is up
_PING_SECONDS = 3
_SUPERVISORS_TRIED = 2  # one may have been killed; if two end, there is a reason
_LOG_SHOWN = 3000  # bytes of the log in an error
_SOURCE_ROOT = Path(__file__).parents[3]
_CREATING_DATABASES = 0x756E6465  # an advisory lock; an arbitrary number


class EmbeddedPostgres:
    """A PostgreSQL of version `major` below `directory`, shared by all processes that use that directory.

    It starts with its first user and stops after its last one, even if users are killed: a user is a process that holds
    a file lock. A server that dies is restarted while users remain. Use it as a context manager, or call `acquire` and
    `release`.
    """

    def __init__(self, directory: Path, major: Major = 18, *, start_timeout: float = 60.0) -> None:
        """`start_timeout`: seconds, for `acquire` as a whole. Does nothing yet."""
        self._directory = Path(directory).absolute()
        self._major: Major = major
        self._start_timeout = start_timeout
        self._in_use: FileLock | None = None
        self._mutex = threading.Lock()

    def acquire(self) -> "EmbeddedPostgres":
        """Start the server or join the running one; returns when it accepts connections.

        Can be called again at any time to restore the server after it died; calls are not counted, so one `release` is
        enough. Raises `EmbeddedPostgresError`.
        """
        deadline = time.monotonic() + self._start_timeout
        with self._mutex, self._explained():
            layout = self._prepare()
            joined = self._join(layout, deadline)
            try:
                with FileLock(layout.start_lock) as starting:
                    if not starting.take_before(deadline):
                        raise self._too_late(layout, "another process is still starting it")
                    self._ensure_running(layout, deadline)
            except BaseException:
                if joined:
                    self._leave()
                raise
        return self

    def release(self) -> None:
        """Stop using the server; the supervisor stops it soon after its last user. No effect when not in use."""
        with self._mutex:
            self._leave()

    def __enter__(self) -> "EmbeddedPostgres":
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def url(self, database: str) -> str:
        """`postgresql://unde@/<database>?host=<socket folder>&port=5432`, for psycopg 3, psycopg2 and SQLAlchemy.

        Valid once `acquire` has returned: before that the owner of the folder may change.
        """
        return self._layout().url(database)

    def ensure_databases(self, *names: str) -> None:
        """Create the missing ones of these databases; safe to call from several processes at once."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_CREATING_DATABASES])
            found = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in dict.fromkeys(names):
                if name not in found:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _layout(self) -> Layout:
        return Layout(self._directory.resolve())  # resolved, so that all users share one socket

    def _prepare(self) -> Layout:
        find_programs(self._major)
        try:
            self._directory.mkdir(parents=True)
        except FileExistsError:
            pass
        else:
            # The server's account must be able to pass root's folder; its data and socket folders have mode 700 anyway.
            self._directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
        layout = self._layout()
        version_file = layout.data / "PG_VERSION"
        found = version_file.read_text().strip() if version_file.exists() else str(self._major)
        if found != str(self._major):
            raise EmbeddedPostgresError(
                f"{layout.data} was made by PostgreSQL {found} and this is {self._major}: use major={found}, or dump "
                "the databases with that version and restore them, or move that directory away to start empty"
            )
        return layout

    def _join(self, layout: Layout, deadline: float) -> bool:
        """Become a user; False if this process is one already."""
        if self._in_use is not None and self._in_use.is_current():
            return False
        self._leave()
        while True:
            lock = FileLock(layout.in_use_lock)
            if not lock.take_before(deadline, shared=True):
                lock.close()
                raise self._too_late(layout, "its supervisor is still stopping it")
            if lock.is_current():
                self._in_use = lock
                return True
            lock.close()

    def _leave(self) -> None:
        if self._in_use is not None:
            self._in_use.close()  # not unlocked: a forked process may continue to use the server
            self._in_use = None

    def _ensure_running(self, layout: Layout, deadline: float) -> None:
        """Needs the start lock. Checks the state repeatedly, so it does not matter which process dies meanwhile."""
        with os.fdopen(open_private(layout.log, os.O_RDWR | os.O_APPEND), "rb") as log:
            log_start = log.seek(0, os.SEEK_END)
            tried = 0
            while not ((supervised := _is_supervised(layout)) and self._accepts_connections(layout)):
                if time.monotonic() > deadline:
                    raise self._too_late(layout, "the server does not accept connections", log_start)
                if not supervised:
                    if tried == _SUPERVISORS_TRIED:
                        raise EmbeddedPostgresError(f"PostgreSQL cannot be started. {_log_end(layout.log, log_start)}")
                    self._start_supervisor(layout, log.fileno(), deadline)
                    tried += 1
                time.sleep(_PAUSE)

    def _start_supervisor(self, layout: Layout, log: int, deadline: float) -> None:
        subprocess.run(
            [sys.executable, "-m", "unde_catalog.stores.embedded.supervisor", str(layout.directory), str(self._major)],
            cwd=_SOURCE_ROOT,  # -m searches here first, so it runs this package
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C must not stop a server that other processes share
            timeout=max(1.0, deadline - time.monotonic()),
        )

    def _accepts_connections(self, layout: Layout) -> bool:
        try:
            check_private_folder(layout.socket_folder(), server_account(layout))
        except FileNotFoundError:
            return False
        address = f"{self.url('postgres')}&connect_timeout={_PING_SECONDS}"
        # A ping connects, but counts "too many clients" as running and "starting up" as not running.
        return pq.PGconn.ping(address.encode()) == pq.Ping.OK

    def _too_late(self, layout: Layout, reason: str, log_start: int = -1) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"PostgreSQL in {layout.directory} was not ready within {self._start_timeout:g} s: {reason}. "
            f"{_log_end(layout.log, log_start)}"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"no permission for the embedded PostgreSQL in {self._directory} ({error}): its folder belongs to "
                "another user; use it as that user, or set UNDE_HOME to a folder of yours, or STAGING_DB_URL"
            ) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"the embedded PostgreSQL in {self._directory} cannot be started: {error}; free or replace the disk, "
                "set UNDE_HOME to another folder, or set STAGING_DB_URL"
            ) from error


def _is_supervised(layout: Layout) -> bool:
    """Needs the start lock; otherwise it could prevent a supervisor from starting."""
    with FileLock(layout.supervisor_lock) as lock:
        return not lock.take()


def _log_end(log: Path, begin: int) -> str:
    """The log from byte `begin` on, at most the last `_LOG_SHOWN` bytes."""
    text = log.read_bytes() if log.exists() else b""
    if 0 <= begin <= len(text):
        text = text[begin:]
    return f"The end of {log}:\n{text[-_LOG_SHOWN:].decode(errors='replace').strip()}"
