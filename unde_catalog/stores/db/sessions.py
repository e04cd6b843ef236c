"""Sessions that hold a database up: which one a lock is waiting for, and what keeps VACUUM from removing dead rows.

Reads only the server's own views, so it never waits for a lock. Nothing is ended here.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import psycopg
from psycopg.rows import DictRow

from unde_catalog.text import duration, printable, shorten

Cursor = psycopg.Cursor[DictRow]

LONG_TRANSACTION = timedelta(hours=1)
IDLE_IN_TRANSACTION = timedelta(minutes=10)  # an open transaction that does nothing is forgotten, not slow
LOCK_SECONDS = 20  # how long a statement of this project waits for a lock; less than a sensor may take
_BLOCKING = timedelta(seconds=LOCK_SECONDS)
_GIB = 1 << 30
_MAX_SLOT_BYTES = 10 * _GIB
_MAX_STANDBY_AGE = 10_000_000  # transactions
_MAX_QUERY = 120  # characters
_BLOCK_WRITERS = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]
_PASSWORD = re.compile(r"(?i)\b(password\s+)'(?:[^']|'')*'")

Hold = Literal["blocking", "transaction", "prepared", "slot", "standby"]


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session with an open transaction. `age`: of the transaction. Of other roles' sessions only a superuser and
    members of pg_read_all_stats see `age`, `state` and `query`; these are None or "" for everybody else.
    """

    pid: int
    role: str
    application: str
    age: timedelta | None
    state: str
    query: str

    def sentence(self) -> str:
        """Who it is, for how long, and its last statement."""
        who = f"process {self.pid} ({self.application or 'no application name'}, role {self.role})"
        if self.age is None:
            return f"{who}, whose statement only a member of pg_read_all_stats may see"
        query = shorten(printable(_PASSWORD.sub(r"\1'...'", self.query), 1_000), _MAX_QUERY)
        return f"{who}, in a transaction for {duration(self.age)}, {self.state}: {query}"


@dataclass(frozen=True, slots=True)
class Holdup:
    """Something that holds the database up. `message`: one sentence that says what it is and how to end it."""

    kind: Hold
    message: str
    urgent: bool = False


def blocking_session(cursor: Cursor, waited: float, *, by_readers: bool = False) -> OpenSession | None:
    """The session that a statement most likely waited for, after it gave up waiting for `waited` seconds.

    Of the sessions that hold locks of tables, rows or advisory locks for that long: first those that others wait for,
    then those that lock a table, then the oldest. `by_readers`: the statement needed a lock that readers prevent.
    """
    cursor.execute(
        """
        WITH held AS (
            SELECT l.pid, bool_or(l.locktype = 'relation') AS whole_table
            FROM pg_locks l
            WHERE l.granted AND l.pid <> pg_backend_pid()
              AND (l.locktype IN ('transactionid', 'advisory')
                   OR l.locktype = 'relation' AND l.relation >= 16384  -- not one of the server's own tables
                      AND (%(by_readers)s OR l.mode = ANY(%(block_writers)s)))
            GROUP BY l.pid
        )
        SELECT a.pid, a.usename AS role, a.application_name AS application, now() - a.xact_start AS age,
               coalesce(a.state, '') AS state, coalesce(a.query, '') AS query
        FROM pg_stat_activity a JOIN held h ON h.pid = a.pid
        WHERE a.datname = current_database() AND a.usename IS NOT NULL
          AND coalesce(a.xact_start <= clock_timestamp() - %(waited)s * interval '0.9 seconds', true)
        ORDER BY a.pid = ANY(SELECT unnest(pg_blocking_pids(w.pid)) FROM pg_locks w WHERE NOT w.granted) DESC,
                 coalesce(a.wait_event_type = 'Lock', false), h.whole_table DESC, a.xact_start NULLS LAST, a.pid
        LIMIT 1
        """,
        {"waited": waited, "by_readers": by_readers, "block_writers": _BLOCK_WRITERS},
    )
    row = cursor.fetchone()
    return OpenSession(**row) if row else None


def lock_wait(cursor: Cursor, waited: float, *, by_readers: bool = False) -> str:
    """`a statement waited 20 s for a lock of ...`, for an error message; the arguments are `blocking_session`'s."""
    reason = f"a statement waited {waited:g} s for a lock"
    holder = blocking_session(cursor, waited, by_readers=by_readers)
    return f"{reason} of {holder.sentence()}. {how_to_end(holder)}" if holder else f"{reason} of another session"


def how_to_end(session: OpenSession) -> str:
    """What an operator does about it."""
    return f"End it where it runs, or SELECT pg_terminate_backend({session.pid})"


def holdups(cursor: Cursor) -> list[Holdup]:
    """Everything that holds up other sessions or VACUUM now, the most urgent first."""
    return [*_blocking(cursor), *_transactions(cursor), *_prepared(cursor), *_slots(cursor), *_standbys(cursor)]


def _blocking(cursor: Cursor) -> list[Holdup]:
    """Sessions that others have been waiting for, and that wait for nobody themselves."""
    cursor.execute(
        """
        WITH waits AS (
            SELECT w.pid, unnest(pg_blocking_pids(w.pid)) AS blocker, w.waitstart
            FROM pg_locks w JOIN pg_stat_activity a ON a.pid = w.pid
            WHERE NOT w.granted AND a.datname = current_database()
        )
        SELECT a.pid, coalesce(a.usename, a.backend_type) AS role, a.application_name AS application,
               now() - a.xact_start AS age, coalesce(a.state, '') AS state, coalesce(a.query, '') AS query,
               count(DISTINCT waits.pid) AS waiting
        FROM waits JOIN pg_stat_activity a ON a.pid = waits.blocker
        WHERE a.pid NOT IN (SELECT pid FROM waits) AND a.pid <> pg_backend_pid()
        GROUP BY a.pid, a.usename, a.backend_type, a.application_name, a.xact_start, a.state, a.query
        HAVING max(clock_timestamp() - waits.waitstart) > %s
        ORDER BY waiting DESC, a.pid
        """,
        (_BLOCKING,),
    )
    found = []
    for row in cursor.fetchall():
        waiting, session = row.pop("waiting"), OpenSession(**row)
        others = f"{waiting} other sessions wait" if waiting > 1 else "another session waits"
        found.append(Holdup("blocking", f"{others} for {session.sentence()}. {how_to_end(session)}", urgent=True))
    return found


def _transactions(cursor: Cursor) -> list[Holdup]:
    cursor.execute(
        """
        SELECT a.pid, a.usename AS role, a.application_name AS application, now() - a.xact_start AS age,
               coalesce(a.state, '') AS state, coalesce(a.query, '') AS query
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
          AND (a.xact_start < now() - %s
               OR a.state LIKE 'idle in transaction%%' AND a.state_change < now() - %s)
        ORDER BY a.xact_start
        """,
        (LONG_TRANSACTION, IDLE_IN_TRANSACTION),
    )
    sessions = [OpenSession(**row) for row in cursor.fetchall()]
    return [
        Holdup("transaction", f"VACUUM keeps dead rows for {one.sentence()}. {how_to_end(one)}") for one in sessions
    ]


def _prepared(cursor: Cursor) -> list[Holdup]:
    cursor.execute(
        "SELECT gid, owner, now() - prepared AS age FROM pg_prepared_xacts"
        " WHERE database = current_database() AND prepared < now() - %s ORDER BY prepared",
        (IDLE_IN_TRANSACTION,),
    )
    return [
        Holdup(
            "prepared",
            f"the prepared transaction {row['gid']} of role {row['owner']} has kept its locks and dead rows for "
            f"{duration(row['age'])}. COMMIT PREPARED or ROLLBACK PREPARED ends it",
        )
        for row in cursor.fetchall()
    ]


def _slots(cursor: Cursor) -> list[Holdup]:
    """Replication slots that nobody reads: the server keeps the WAL, and rows, for them until its disk is full."""
    cursor.execute(
        """
        SELECT slot_name AS name, coalesce(greatest(age(xmin), age(catalog_xmin)), 0) AS age,
               coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                             ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint AS bytes
        FROM pg_replication_slots
        WHERE NOT active AND NOT temporary AND (database IS NULL OR database = current_database())
        ORDER BY bytes DESC
        """
    )
    return [
        Holdup(
            "slot",
            f"nobody reads the replication slot {row['name']}: the server keeps {row['bytes'] / _GIB:.1f} GiB of WAL "
            f"for it, and rows of the last {row['age']:,} transactions. Start its reader, or "
            f"SELECT pg_drop_replication_slot('{row['name']}')",
            urgent=row["bytes"] > _MAX_SLOT_BYTES,
        )
        for row in cursor.fetchall()
    ]


def _standbys(cursor: Cursor) -> list[Holdup]:
    cursor.execute(
        "SELECT pid, application_name AS application, age(backend_xmin) AS age FROM pg_stat_replication"
        " WHERE age(backend_xmin) > %s ORDER BY age DESC",
        (_MAX_STANDBY_AGE,),
    )
    return [
        Holdup(
            "standby",
            f"a query on the standby {row['application'] or row['pid']} keeps rows of the last {row['age']:,} "
            "transactions (hot_standby_feedback). End it there",
        )
        for row in cursor.fetchall()
    ]
