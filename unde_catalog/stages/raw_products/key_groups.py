"""Groups the keys of a whole bucket by product, on disk: memory does not grow with the bucket.

In key order the photos of a product need not be neighbours: `12345.jpg`, `123450.jpg`, `12345_2.jpg`.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

from unde_catalog.stages.raw_products.bakai_key import key_problem, parse_key
from unde_catalog.stages.raw_products.errors import CursorLost, SourceUnusable

_MAX_KEYS = 1_000  # of one product; further ones are counted
_PLACE = "group:"  # what a place begins with


@dataclass(slots=True)
class KeyGroup:
    """A product's keys, in key order; or one key without a product. `problem`: why that key cannot be requested.

    `left_out`: how many keys beyond the first thousand the product has. `place`: where the next group begins.
    """

    product_id: str | None
    category: str | None
    keys: list[str]
    problem: str = ""
    left_out: int = 0

    @property
    def place(self) -> str:
        """See the class."""
        product, key = (self.product_id, "") if self.product_id is not None else ("", self.keys[0])
        return f"{_PLACE}{quote(product, safe='')}/{quote(key, safe='')}"


class KeyGroups:
    """A context manager that removes its file at the end. Raises `SourceUnusable` if the disk is full."""

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        with _disk_errors():
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="unde-keys-"))
            self._db = sqlite3.connect(Path(folder, "keys.sqlite"), isolation_level=None)
            self._stack.callback(self._db.close)
            # Nothing survives this object, so nothing needs to survive a crash.
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(
                "CREATE TABLE keys (product TEXT, key TEXT, category TEXT, problem TEXT, PRIMARY KEY (product, key))"
                " WITHOUT ROWID"
            )
        self._count = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return self._count

    def add(self, keys: Sequence[str]) -> None:
        """Add keys, each once."""
        rows = []
        for key in keys:
            problem = key_problem(key)
            product = None if problem else parse_key(key)
            if product is None:
                rows.append(("", key, None, problem))
            else:
                rows.append((product.product_id, key, product.category, ""))
        with _disk_errors():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        self._count += len(rows)

    def after(self, place: str | None) -> Iterator[KeyGroup]:
        """The groups from the beginning, or after a group's place. `CursorLost` for another kind of place."""
        current: KeyGroup | None = None
        with _disk_errors():
            for product, key, category, problem in self._rows(place):
                if not product:
                    yield KeyGroup(None, None, [key], problem)
                elif current is not None and current.product_id == product:
                    current.category = current.category or category
                    if len(current.keys) < _MAX_KEYS:
                        current.keys.append(key)
                    else:
                        current.left_out += 1
                else:
                    if current is not None:
                        yield current
                    current = KeyGroup(product, category, [key])
        if current is not None:
            yield current

    def _rows(self, place: str | None) -> sqlite3.Cursor:
        place = f"{_PLACE}/" if place is None else place  # before all groups
        if not place.startswith(_PLACE):
            raise CursorLost("the last run read the bucket in another order")
        product, _, key = place.removeprefix(_PLACE).partition("/")
        condition = "product > ?1" if product else "(product, key) > (?1, ?2)"
        return self._db.execute(
            f"SELECT product, key, category, problem FROM keys WHERE {condition} ORDER BY product, key",
            (unquote(product), unquote(key))[: 1 if product else 2],
        )


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SourceUnusable(
            f"the keys of the bucket could not be written to {tempfile.gettempdir()}: {error}; "
            "free space there, or set TMPDIR to a larger disk"
        ) from None
