"""Connections to a PostgreSQL database: a small pool, short transactions, errors in one sentence.

No SQL of the catalogue here, and no session state: everything works behind PgBouncer's transaction pooling.
"""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, LiteralString, ParamSpec, Self, TypeVar

import psycopg
from psycopg import errors, pq, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from unde_catalog.stores.db.sessions import LOCK_SECONDS, lock_wait
from unde_catalog.text import first_line

Cursor = psycopg.Cursor[DictRow]
_P = ParamSpec("_P")
_T = TypeVar("_T")

# One round trip. `unde.writer` tells this project's writes from those of other programs, see due_rules.sql. Not by
# application_name: behind a pooler, a program that sets none inherits the one that the connection had before.
_BEGIN: LiteralString = "BEGIN; SET LOCAL unde.writer = 'unde_catalog'; SET LOCAL lock_timeout = {}; "
_APPLICATION = "unde_catalog"
_ATTEMPTS = 5  # after a deadlock, a serialization failure or a lost connection the same work may succeed
_CONNECT_SECONDS = 10

_ADVICE_BY_ERROR = {
    errors.ReadOnlySqlTransaction: "make it accept writes again, or set the address of the server that does",
    errors.InsufficientPrivilege: "grant it, or let the owner run unde-catalog migrate",
    errors.DiskFull: "free space on its disk",
    errors.TooManyConnections: "raise its max_connections, or put a pooler in front of it",
}
_ADVICE_BY_TEXT = {
    "authentication failed": "set the current password in its address",
    "server login has been failing": "check that its server runs and that the pooler's own file has its password",
    "no connection within": "all connections are in use: run less at once",
}
_DEFAULT_ADVICE = "work resumes when the server is back; check the server and the configured address"

# Errors of the database, not of a statement: it is down, full, read-only after a failover, or the role lacks rights.
_UNAVAILABLE = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.InsufficientPrivilege,
)


class DatabaseUnavailable(RuntimeError):
    """A database cannot be used now; the message says which one and why, without the password.

    `database`: its label (staging, production, Dagster), empty where the caller set none. `connection_lost`: an open
    connection broke, so another one may work. `refused`: the server is there and rejected the statement.
    """

    def __init__(
        self, message: str, *, database: str = "", connection_lost: bool = False, refused: bool = False
    ) -> None:
        super().__init__(message)
        self.database, self.connection_lost, self.refused = database, connection_lost, refused


def own_session(url: str) -> LiteralString:
    """Statements that undo, for one transaction, what another program may have left in the session of a pooler.

    A search path in the URL's `options` is not the role's or the database's default, so it stays.
    """
    reset: LiteralString = "SET LOCAL role TO DEFAULT; SET LOCAL statement_timeout TO DEFAULT"
    has_path = "search_path" in str(conninfo_to_dict(url).get("options"))
    return reset if has_path else f"{reset}; SET LOCAL search_path TO DEFAULT"


class Database:
    """A PostgreSQL database. Opens its pool at first use; close it, or use it as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        label: str = "",
        max_connections: int = 4,
        patience: float = 30,
        statement_seconds: float | None = None,
    ) -> None:
        """`label`: what error messages call it. `patience`: seconds to wait for a connection or a restarting server.

        A statement waits at most half of it, and at most 20 seconds, for a lock of another session. With
        `statement_seconds` it is canceled after that time.
        """
        parts = conninfo_to_dict(url)
        self._lock_seconds = min(LOCK_SECONDS, patience / 2)
        begin = sql.SQL(_BEGIN).format(sql.Literal(f"{self._lock_seconds * 1000:.0f}ms"))
        self._begin = begin + sql.SQL(own_session(url))
        if statement_seconds is not None:
            limit = sql.Literal(f"{statement_seconds * 1000:.0f}ms")
            self._begin += sql.SQL("; SET LOCAL statement_timeout = {}").format(limit)
        self.label = label
        self.name = f"{parts.get('dbname')} at {parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
        self._role = parts.get("user")
        self._url = url
        self._reached = False
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool[psycopg.Connection[DictRow]](
            url,
            min_size=0,
            max_size=max_connections,
            max_idle=60,
            timeout=patience,
            open=False,
            check=lambda connection: _ping(connection, patience),  # after a server restart: a ping, not a failure
            kwargs={
                "row_factory": dict_row, "prepare_threshold": None, "connect_timeout": _CONNECT_SECONDS,
                "fallback_application_name": _APPLICATION,
            },
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @property
    def title(self) -> str:
        """How messages name it, e.g. `the staging database unde at db:5432`."""
        return f"the {self.label} database {self.name}" if self.label else f"the database {self.name}"

    @property
    def url(self) -> str:
        """The address with its password: for tools that connect themselves, never for a log."""
        return self._url

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One short transaction; `DatabaseUnavailable` when the database cannot be used.

        That includes a lock that another session does not release; the message names the session.
        """
        try:
            if not self._reached:
                self._reach()
            with self._pool.connection() as connection:
                try:
                    with self._begun(connection) as cursor:
                        yield cursor
                except psycopg.Error as error:
                    if connection.closed:
                        raise self._connection_lost(error) from error
                    raise
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise
        except errors.LockNotAvailable as error:
            raise self._locked() from error
        except PoolTimeout as error:
            self._reach()  # gives the reason; the pool only says that it waited
            raise self._unavailable(f"no connection within {self._pool.timeout:g} s") from error
        except _UNAVAILABLE as error:
            raise self._unavailable(error) from error

    @contextmanager
    def _begun(self, connection: psycopg.Connection[DictRow]) -> Iterator[Cursor]:
        connection.autocommit = True  # psycopg's own BEGIN would be another round trip; this sends nothing
        with connection.cursor() as cursor:
            cursor.execute(self._begin)
            try:
                yield cursor
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise
            connection.commit()

    def run(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `work(cursor, *args, **kwargs)` in its own transaction.

        Repeats it after a deadlock, a serialization failure, or a connection lost before the end of `work`.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            work_ended = False
            try:
                with self.transaction() as cursor:
                    result = work(cursor, *args, **kwargs)
                    work_ended = True
                return result
            except (errors.SerializationFailure, errors.DeadlockDetected):
                if not attempts_left:
                    raise
            except DatabaseUnavailable as error:
                # After the end of `work` the transaction may be committed, so it must not be repeated.
                if work_ended or not error.connection_lost or not attempts_left:
                    raise
        raise AssertionError("unreachable")

    def read(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `work(cursor, *args, **kwargs)`, which only reads, so it is repeated after any lost connection."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                with self.transaction() as cursor:
                    return work(cursor, *args, **kwargs)
            except DatabaseUnavailable as error:
                if not error.connection_lost or not attempts_left:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reach(self) -> None:
        """Connect without the pool, which would retry for its whole patience and hide a wrong password."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
                _ping(connection, min(self._pool.timeout, _CONNECT_SECONDS))
                encoding = connection.info.parameter_status("server_encoding")
        except psycopg.OperationalError as error:
            raise self._unavailable(error) from error
        if encoding == "SQL_ASCII":  # psycopg reads its text as bytes
            raise DatabaseUnavailable(
                f"{self.title} can't be used: its encoding is SQL_ASCII, which keeps text as bytes. Create it with "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and restore its rows from a dump",
                database=self.label,
            )
        self._pool.open()
        self._reached = True

    def _locked(self) -> DatabaseUnavailable:
        """Names the session that holds the lock, where it can be found."""
        try:
            with self._pool.connection(timeout=2) as connection, connection.cursor() as cursor:
                reason = lock_wait(cursor, self._lock_seconds)
        except (PoolTimeout, psycopg.Error):  # whatever it is, the lock is what stopped this work
            reason = f"a statement waited {self._lock_seconds:g} s for a lock"
        return DatabaseUnavailable(f"{self.title} can't be used: {reason}", database=self.label, refused=True)

    def _connection_lost(self, error: psycopg.Error) -> DatabaseUnavailable:
        # A pooler may append a message to the server's last one, which psycopg reports as an error of its own.
        cause = error if isinstance(error, _UNAVAILABLE) else "the connection was lost"
        return self._unavailable(cause, connection_lost=True)

    def _unavailable(self, cause: BaseException | str, *, connection_lost: bool = False) -> DatabaseUnavailable:
        reason = first_line(cause)
        if isinstance(cause, errors.InsufficientPrivilege):
            reason += f" (connected as {self._role})"
        advice = next((advice for kind, advice in _ADVICE_BY_ERROR.items() if isinstance(cause, kind)), None)
        if advice is None:
            advice = next((advice for part, advice in _ADVICE_BY_TEXT.items() if part in reason), _DEFAULT_ADVICE)
        refused = isinstance(cause, psycopg.Error) and cause.sqlstate is not None and not connection_lost
        return DatabaseUnavailable(
            f"{self.title} can't be used: {reason}; {advice}",
            database=self.label,
            connection_lost=connection_lost,
            refused=refused,
        )


def _ping(connection: psycopg.Connection[Any], seconds: float) -> None:
    """Send an empty query, with a time limit, which psycopg lacks.

    A pooler whose server is down, or whose connections are all in use, keeps a query waiting for minutes.
    """
    libpq = connection.pgconn
    readable = select.poll()
    readable.register(libpq.socket, select.POLLIN)
    try:
        libpq.send_query(b"")
        if not readable.poll(seconds * 1000):
            raise psycopg.OperationalError(f"no response within {seconds:g} s")
        while (result := libpq.get_result()) is not None:
            if result.status != pq.ExecStatus.EMPTY_QUERY:
                raise errors.error_from_result(result)
    except psycopg.Error:
        connection.close()
        raise
