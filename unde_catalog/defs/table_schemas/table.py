"""How a table is shown with its asset: its name, its columns with type and meaning, and their lineage.

The tables themselves are described in `staging.py` and `production.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg

DatabaseKind = Literal["staging", "production"]
LINEAGE = "dagster/column_lineage"
ROW_COUNT = "dagster/partition_row_count"  # of the partition: the count is that of a brand, not of the whole table

_NOT_NULL = " not null"


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `columns`: name, type as in the migrations (with `not null`), meaning.

    `made_from`: for a column, each `asset.column` from which the code makes it.
    """

    database: DatabaseKind
    name: str
    columns: Sequence[tuple[str, str, str]]
    made_from: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def schema(self) -> dg.TableSchema:
        """The columns as Dagster shows them. The meaning names their sources too: not every UI draws column lineage."""
        return dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name,
                    type.removesuffix(_NOT_NULL),
                    self._meaning(name, meaning),
                    dg.TableColumnConstraints(nullable=not type.endswith(_NOT_NULL)),
                )
                for name, type, meaning in self.columns
            ]
        )

    def _meaning(self, column: str, meaning: str) -> str:
        sources = ", ".join(f"`{source}`" for source in self.made_from.get(column, ()))
        return f"{meaning} From {sources}." if sources else meaning

    def lineage(self) -> dict[str, Any]:
        """Column lineage as metadata of a materialization; empty where none is known."""
        if not self.made_from:
            return {}
        deps = {
            column: [
                dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in (source.split(".") for source in sources)
            ]
            for column, sources in self.made_from.items()
        }
        return {LINEAGE: dg.TableColumnLineage(deps)}
