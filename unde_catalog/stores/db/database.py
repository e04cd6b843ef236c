"""Connections to a PostgreSQL database: a small pool, short transactions, errors in one sentence.

No SQL of the catalogue here, and nothing that lives in a session: it works behind PgBouncer's transaction pooling.
"""

import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from unde_catalog.text import first_line

Cursor = psycopg.Cursor[DictRow]
_P = ParamSpec("_P")
_T = TypeVar("_T")

_TRIES = 5  # deadlocks and serialization failures are another transaction's luck, a cut connection is nobody's fault
_CONNECT_SECONDS = 10

_WHAT_TO_DO = {
    errors.ReadOnlySqlTransaction: "let it take writes again, or set the address of the server that does",
    errors.InsufficientPrivilege: "grant it, or let the owner run unde-catalog migrate",
    errors.DiskFull: "free space on its disk",
    errors.TooManyConnections: "raise its max_connections, or put a pooler before it",
}
_WHAT_IS_SAID = {
    "authentication failed": "set the present password in its address",
    "server login has been failing": "does its server run, and has the pooler's own file the present password?",
    "no connection within": "all are taken: run less at once",
}
_AWAY = "it goes on when the server is back; look at the server and at the address that is set"

# The database, not our SQL: it is gone, full, read-only after a failover, or the role has no rights.
_NOT_OURS = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.InsufficientPrivilege,
)


class DatabaseUnavailable(RuntimeError):
    """The staging database can't be used now; the sentence says which and why, without the password.

    `cut`: an open connection was lost, so that another one may well do. `refused`: it is there and said no.
    """

    def __init__(self, sentence: str, *, cut: bool = False, refused: bool = False) -> None:
        super().__init__(sentence)
        self.cut, self.refused = cut, refused


class Database:
    """A PostgreSQL database. Opens its pool at the first use; close it, or use it as a context manager."""

    def __init__(self, url: str, *, max_connections: int = 4, patience: float = 30) -> None:
        """`patience`: seconds to wait for a free connection, or for a server that restarts."""
        parts = conninfo_to_dict(url)
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
            check=lambda connection: _ping(connection, patience),  # a restarted server costs that, not a failure
            kwargs={"row_factory": dict_row, "prepare_threshold": None, "connect_timeout": _CONNECT_SECONDS},
        )

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @property
    def url(self) -> str:
        """The address with its password: for tools that connect themselves, never for a log."""
        return self._url

    def transaction(self) -> AbstractContextManager[Cursor]:
        """One short transaction; `DatabaseUnavailable` when the database does not answer."""
        return self._cursor(whole=True)

    def statements(self) -> AbstractContextManager[Cursor]:
        """Statements of which each is a transaction of its own: two round trips less, for reading. As above else."""
        return self._cursor(whole=False)

    @contextmanager
    def _cursor(self, *, whole: bool) -> Iterator[Cursor]:
        try:
            if not self._reached:
                self._reach()
            with self._pool.connection() as connection:
                try:
                    connection.autocommit = not whole  # of a connection that goes back clean, so it asks nothing
                    with connection.transaction() if whole else nullcontext(), connection.cursor() as cursor:
                        yield cursor
                except psycopg.Error as error:
                    if connection.closed:
                        raise self._cut(error) from error
                    raise
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise
        except PoolTimeout as error:
            self._reach()  # says why, where the pool only says that it waited
            raise self._down(f"no connection within {self._pool.timeout:g} s") from error
        except _NOT_OURS as error:
            raise self._down(error) from error

    def run(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`work(cursor, *args, **kwargs)` in a transaction of its own.

        Again when it lost against another one, or when the connection was cut before the end of it.
        """
        for left in reversed(range(_TRIES)):
            ended = False
            try:
                with self.transaction() as cursor:
                    result = work(cursor, *args, **kwargs)
                    ended = True
                return result
            except (errors.SerializationFailure, errors.DeadlockDetected):
                if not left:
                    raise
            except DatabaseUnavailable as down:
                if ended or not down.cut or not left:  # ended: it may be committed, so it must not be done twice
                    raise
        raise AssertionError("unreachable")

    def read(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`work(cursor, *args, **kwargs)`, which only reads, and minds no change between two of its statements.

        Again when the connection was cut.
        """
        for left in reversed(range(_TRIES)):
            try:
                with self.statements() as cursor:
                    return work(cursor, *args, **kwargs)
            except DatabaseUnavailable as down:
                if not down.cut or not left:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reach(self) -> None:
        """Connect without the pool: it would try again and again, and hide a wrong password for its whole patience."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
                _ping(connection, min(self._pool.timeout, _CONNECT_SECONDS))
        except psycopg.OperationalError as error:
            raise self._down(error) from error
        self._pool.open()
        self._reached = True

    def _cut(self, error: psycopg.Error) -> DatabaseUnavailable:
        # A pooler adds an answer of its own to the server's last one, which psycopg calls an error of its own.
        return self._down(error if isinstance(error, _NOT_OURS) else "the connection was lost", cut=True)

    def _down(self, cause: BaseException | str, *, cut: bool = False) -> DatabaseUnavailable:
        said = first_line(cause)
        if isinstance(cause, errors.InsufficientPrivilege):
            said += f" (connected as {self._role})"
        advice = next((advice for kind, advice in _WHAT_TO_DO.items() if isinstance(cause, kind)), None)
        if advice is None:
            advice = next((advice for part, advice in _WHAT_IS_SAID.items() if part in said), _AWAY)
        refused = isinstance(cause, psycopg.Error) and cause.sqlstate is not None and not cut
        return DatabaseUnavailable(
            f"the database {self.name} can't be used: {said}; {advice}", cut=cut, refused=refused
        )


def _ping(connection: psycopg.Connection[Any], seconds: float) -> None:
    """Ask a connection for a sign of life.

    With a time limit, which psycopg has not: a pooler whose server is away, or whose connections are all taken, lets
    a query wait for minutes.
    """
    libpq = connection.pgconn
    answer = select.poll()
    answer.register(libpq.socket, select.POLLIN)
    try:
        libpq.send_query(b"")
        if not answer.poll(seconds * 1000):
            raise psycopg.OperationalError(f"no answer within {seconds:g} s")
        while (result := libpq.get_result()) is not None:
            if result.status != pq.ExecStatus.EMPTY_QUERY:
                raise errors.error_from_result(result)
    except psycopg.Error:
        connection.close()
        raise
