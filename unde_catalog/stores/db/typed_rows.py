"""The result of a query with the type of each column, also where it has no rows; nothing here knows a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unde_catalog.stores.db.database import Cursor


@dataclass(frozen=True, slots=True)
class TypedRows:
    """`types`: PostgreSQL's short name of each column's type, e.g. `int4`, `timestamptz`."""

    types: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]


def typed_rows(cursor: Cursor) -> TypedRows:
    """All rows of the query that the cursor has executed."""
    known = cursor.adapters.types
    types = {one.name: info.name if (info := known.get(one.type_code)) else "" for one in cursor.description or ()}
    return TypedRows(types, cursor.fetchall())
