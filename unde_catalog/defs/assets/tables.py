"""How a table is shown with its asset: name, columns with their types and meaning, and where columns come from.

What the columns mean is written in `staging_tables.py` and `production_tables.py`, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg

DatabaseKind = Literal["staging", "production"]
LINEAGE = "dagster/column_lineage"
ROWS = "dagster/partition_row_count"  # a brand is a partition: the whole table's count would be another number

_NOT_NULL = " not null"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of ours. `columns`: name, type in the migrations' words (with `not null`), meaning.

    `made_from`: of a column, the `asset.column`s it is made from; only what the code really reads.
    """

    database: DatabaseKind
    name: str
    columns: Sequence[tuple[str, str, str]]
    made_from: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def schema(self) -> dg.TableSchema:
        """The columns as Dagster shows them; what they are made from as words, too, as not every UI draws that."""
        return dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name,
                    type.removesuffix(_NOT_NULL),
                    self._explained(name, meaning),
                    dg.TableColumnConstraints(nullable=not type.endswith(_NOT_NULL)),
                )
                for name, type, meaning in self.columns
            ]
        )

    def _explained(self, column: str, meaning: str) -> str:
        sources = ", ".join(f"`{source}`" for source in self.made_from.get(column, ()))
        return f"{meaning} From {sources}." if sources else meaning

    def lineage(self) -> dict[str, Any]:
        """Metadata of a materialization, as Dagster looks for a column's lineage there; empty where none is known."""
        if not self.made_from:
            return {}
        deps = {
            column: [dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in (one.split(".") for one in sources)]
            for column, sources in self.made_from.items()
        }
        return {LINEAGE: dg.TableColumnLineage(deps)}
