"""The records of Ximilar's collections, in one SQLite file, so that a killed sandbox loses none. No HTTP belongs here.

SQLite instead of a JSON file, because a collection of 100,000 records grows by ten at a time.
"""

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS
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
class XimilarOverrides:
    """Settings made through /_control; a restart resets them.

    `size`: the capacity of a collection in records. `token`: the only one accepted. `delay`: seconds between the
    work and its response.
    """

    size: int = 100_000
    token: str = DEFAULT_CREDENTIALS.ximilar
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to insert: its fields without `_id`, and its photo's thumbnail (empty: unknown)."""

    id: str
    fields: dict[str, Any]
    thumbnail: bytes


class XimilarStore:
    """All collections. Raises `ValueError` if the file is not the sandbox's.

    The column `look` has the thumbnails.
    """

    def __init__(self, path: Path, token: str = DEFAULT_CREDENTIALS.ximilar) -> None:
        self.overrides = XimilarOverrides(token=token)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        try:
            # The operating system keeps what a killed process wrote; only a power failure could lose it.
            for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE):
                self._db.execute(statement)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path} is not a sandbox state file ({error}); delete it to start afresh") from error

    def get(self, collection: str, id_: str) -> dict[str, Any] | None:
        """Returns a record with its `_id` and all fields, or None."""
        row = self._db.execute(
            "SELECT id, fields FROM records WHERE collection = ? AND id = ?", (collection, id_)
        ).fetchone()
        return _record(row) if row else None

    def thumbnail(self, collection: str, id_: str) -> bytes | None:
        """Returns the thumbnail of a record's photo, or None if there is no such record."""
        row = self._db.execute("SELECT look FROM records WHERE collection = ? AND id = ?", (collection, id_)).fetchone()
        return row[0] if row else None

    def insert(self, collection: str, records: Sequence[NewRecord]) -> list[Outcome]:
        """Inserts records in one transaction and returns the outcome of each: inserted, duplicate or full."""
        outcomes: list[Outcome] = []
        self._db.execute("BEGIN")
        free = self.overrides.size - self._count(collection)
        for record in records:
            if self.get(collection, record.id):
                outcomes.append("duplicate")
            elif free <= 0:
                outcomes.append("full")
            else:
                self._db.execute(
                    "INSERT INTO records (collection, id, fields, look) VALUES (?, ?, ?, ?)",
                    (collection, record.id, json.dumps(record.fields), record.thumbnail),
                )
                outcomes.append("inserted")
                free -= 1
        self._db.execute("COMMIT")
        return outcomes

    def update(self, collection: str, id_: str, fields: dict[str, Any]) -> bool:
        """Merges fields into a record and keeps its thumbnail; returns False if there is no such record."""
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
        """Deletes a record; returns False if there is no such record."""
        result = self._db.execute("DELETE FROM records WHERE collection = ? AND id = ?", (collection, id_))
        return result.rowcount > 0

    def remove(self, ids: Sequence[str]) -> None:
        """Deletes records from every collection, without any client's request."""
        self._db.executemany("DELETE FROM records WHERE id = ?", [(id_,) for id_ in ids])

    def page(self, collection: str, size: int, page: int) -> list[dict[str, Any]]:
        """Returns the records of a page (from 1) in the order of insertion; a size of 0 means all records."""
        rows = self._db.execute(
            "SELECT id, fields FROM records WHERE collection = ? ORDER BY position LIMIT ? OFFSET ?",
            (collection, size or -1, size * (page - 1)),
        )
        return [_record(row) for row in rows]

    def nearest(self, collection: str, thumbnail: bytes, k: int) -> list[tuple[float, dict[str, Any]]]:
        """Returns the k records with the most similar thumbnails and their distances, nearest first."""
        rows = self._db.execute(
            "SELECT position, look FROM records WHERE collection = ? AND look <> x''", (collection,)
        )
        nearest = sorted((math.dist(thumbnail, other), position) for position, other in rows)[:k]
        return [(round(distance, 3), self._at(position)) for distance, position in nearest]

    def counts(self) -> dict[str, int]:
        """Returns the number of records of each collection that is not empty."""
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
