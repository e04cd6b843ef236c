"""The records of the sandbox's Ximilar collections, in one SQLite file: a killed sandbox loses none. No HTTP here.

SQLite and not a JSON file like the runs', because a collection of 100,000 records grows by ten at a time.
"""

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unde_catalog.sandbox.identity import XIMILAR_TOKEN
from unde_catalog.sandbox.ximilar.payloads import Outcome

_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    id         TEXT NOT NULL,
    fields     TEXT NOT NULL,
    look       BLOB NOT NULL,
    UNIQUE (collection, id)
)"""


@dataclass(slots=True)
class Terms:
    """How Ximilar treats us from now on; forgotten by a restart.

    `size`: the most records that a collection takes. `token`: the one that is accepted. `delay`: for so many seconds
    an answer waits after its work is done.
    """

    size: int = 100_000
    token: str = XIMILAR_TOKEN
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that may go in: its fields without `_id`, and the look of its photo (empty: not known)."""

    id: str
    fields: dict[str, Any]
    look: bytes


class XimilarStore:
    """All collections. Raises `ValueError` when the file is not one of ours."""

    def __init__(self, path: Path) -> None:
        self.terms = Terms()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            # What a killed process wrote stays with the system; only a power cut could lose it.
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE):
                self._db.execute(statement)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path} is not a sandbox's state ({error}); delete it to start anew") from error

    def get(self, collection: str, id_: str) -> dict[str, Any] | None:
        """A record with its `_id` and all fields."""
        row = self._db.execute(
            "SELECT id, fields FROM records WHERE collection = ? AND id = ?", (collection, id_)
        ).fetchone()
        return _record(row) if row else None

    def look(self, collection: str, id_: str) -> bytes | None:
        """What a record's photo looks like (`photos.py`)."""
        row = self._db.execute("SELECT look FROM records WHERE collection = ? AND id = ?", (collection, id_)).fetchone()
        return row[0] if row else None

    def insert(self, collection: str, records: Sequence[NewRecord]) -> list[Outcome]:
        """What became of each, in order and all in one transaction: inserted, duplicate or full."""
        outcomes: list[Outcome] = []
        self._db.execute("BEGIN")
        room = self.terms.size - self._count(collection)
        for record in records:
            if self.get(collection, record.id):
                outcomes.append("duplicate")
            elif room <= 0:
                outcomes.append("full")
            else:
                self._db.execute(
                    "INSERT INTO records (collection, id, fields, look) VALUES (?, ?, ?, ?)",
                    (collection, record.id, json.dumps(record.fields), record.look),
                )
                outcomes.append("inserted")
                room -= 1
        self._db.execute("COMMIT")
        return outcomes

    def update(self, collection: str, id_: str, fields: dict[str, Any]) -> bool:
        """Merges fields into a record; False if there is none. Its look stays."""
        old = self.get(collection, id_)
        if old is None:
            return False
        del old["_id"]
        self._db.execute(
            "UPDATE records SET fields = ? WHERE collection = ? AND id = ?",
            (json.dumps({**old, **fields}), collection, id_),
        )
        return True

    def delete(self, collection: str, id_: str) -> bool:
        """Deletes a record; False if there is none."""
        done = self._db.execute("DELETE FROM records WHERE collection = ? AND id = ?", (collection, id_))
        return done.rowcount > 0

    def remove(self, ids: Sequence[str]) -> None:
        """Deletes records from every collection, behind the back of whoever inserted them."""
        self._db.executemany("DELETE FROM records WHERE id = ?", [(id_,) for id_ in ids])

    def page(self, collection: str, size: int, page: int) -> list[dict[str, Any]]:
        """The records of a page (from 1) in the order they went in; size 0 is all."""
        rows = self._db.execute(
            "SELECT id, fields FROM records WHERE collection = ? ORDER BY position LIMIT ? OFFSET ?",
            (collection, size or -1, size * (page - 1)),
        )
        return [_record(row) for row in rows]

    def nearest(self, collection: str, look: bytes, k: int) -> list[tuple[float, dict[str, Any]]]:
        """The k records that look most like this, the nearest first, with their distances."""
        rows = self._db.execute(
            "SELECT position, look FROM records WHERE collection = ? AND look <> x''", (collection,)
        )
        nearest = sorted((math.dist(look, other), position) for position, other in rows)[:k]
        return [(round(distance, 3), self._at(position)) for distance, position in nearest]

    def counts(self) -> dict[str, int]:
        """How many records each collection holds, of those that hold any."""
        return dict(self._db.execute("SELECT collection, count(*) FROM records GROUP BY collection").fetchall())

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _count(self, collection: str) -> int:
        return self._db.execute("SELECT count(*) FROM records WHERE collection = ?", (collection,)).fetchone()[0]

    def _at(self, position: int) -> dict[str, Any]:
        return _record(self._db.execute("SELECT id, fields FROM records WHERE position = ?", (position,)).fetchone())


def _record(row: tuple[str, str]) -> dict[str, Any]:
    return {"_id": row[0], **json.loads(row[1])}
