"""Connections to a PostgreSQL database: a small pool, short transactions, errors in one sentence.

No SQL of the catalogue here, and nothing that lives in a session: it works behind PgBouncer's transaction pooling.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

Cursor = psycopg.Cursor[DictRow]
_P = ParamSpec("_P")
_T = TypeVar("_T")

_TRIES_AGAINST_OTHERS = 5  # deadlocks and serialization failures are another transaction's luck, not a fault


class StagingDown(RuntimeError):
    """The staging database can't be used now; the sentence says which and why, without the password."""


class Database:
    """A PostgreSQL database. Opens its pool at the first use; close it, or use it as a context manager."""

    def __init__(self, url: str, *, max_connections: int = 4) -> None:
        parts = conninfo_to_dict(url)
        self.name = f"{parts.get('dbname')} at {parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
        self._url = url
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool[psycopg.Connection[DictRow]](
            url,
            min_size=0,
            max_size=max_connections,
            max_idle=60,
            timeout=30,
            open=False,
            check=ConnectionPool[
                psycopg.Connection[DictRow]
            ].check_connection,  # a server that was restarted costs a ping, not a failure
            kwargs={"row_factory": dict_row, "prepare_threshold": None, "connect_timeout": 10},
        )

    def __repr__(self) -> str:
        return f"Database({self.name})"

    @property
    def url(self) -> str:
        """The address with its password: for tools that connect themselves, never for a log."""
        return self._url

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """One short transaction; `StagingDown` when the database does not answer."""
        try:
            self._pool.open()
            with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except (errors.SerializationFailure, errors.DeadlockDetected):
            raise
        except (psycopg.OperationalError, PoolTimeout) as error:
            cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise StagingDown(f"the database {self.name} can't be used: {cause}") from error

    def run(self, work: Callable[Concatenate[Cursor, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`work(cursor, *args, **kwargs)` in a transaction of its own, again when it lost against another one."""
        for left in reversed(range(_TRIES_AGAINST_OTHERS)):
            try:
                with self.transaction() as cursor:
                    return work(cursor, *args, **kwargs)
            except (errors.SerializationFailure, errors.DeadlockDetected):
                if not left:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
