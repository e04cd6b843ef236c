"""IO managers: how assets are written down and how others read them, as pandas DataFrames.

They carry rows and manifests, never image bytes. What is written, and where, is the domain's: nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from unde_catalog.defs.assets.metadata import lineage_of
from unde_catalog.defs.assets.row_counts import rows_of
from unde_catalog.defs.assets.stage_asset import StoredByRun
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, location_of, metadata_of
from unde_catalog.stages.photos import manifest
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stages.run import merge_products
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.products import product_rows

if TYPE_CHECKING:
    import pandas as pd

# What is read where nothing else is asked for.
PRODUCT_COLUMNS = (
    "external_id", "brand", "name", "category", "colour", "price", "currency", "sizes", "original_image_urls",
    "image_urls", "collage_url", "image_status", "active", "scraped_at",
)  # fmt: skip

_DTYPES = {
    "bigint": "Int64",
    "integer": "Int64",
    "smallint": "Int64",
    "boolean": "boolean",
    "text": "str",
    "character varying": "str",
    "timestamp with time zone": "datetime64[us, UTC]",
}  # the others stay objects: a numeric is a Decimal, jsonb what it holds


class PostgresProductIOManager(dg.IOManager):
    """Products of a brand in `raw_products`: merges a stream of them, and reads chosen columns.

    An input's metadata chooses: `{"columns": ["external_id", "price"], "inactive": True}`; without it a usual set of
    columns, and active products only.
    """

    def __init__(self, backends: BackendsResource) -> None:
        self._open_backends = backends

    def handle_output(self, context: dg.OutputContext, obj: ProductStream) -> None:
        """Read the stream and merge it; only now is anything asked of the source."""
        with (
            fail_in_one_sentence(f"raw_products of {obj.brand} could not begin"),
            self._open_backends.open() as backends,
        ):
            report = merge_products(obj, backends)
            rows = rows_of("raw_products", obj.brand, backends, context.log)
        context.log.info(report.sentence())
        context.add_output_metadata({**metadata_of(report), **rows, **lineage_of("raw_products")})

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The products of the input's partitions, by id."""
        asked = context.definition_metadata or {}
        with fail_in_one_sentence("raw_products can't be read"), self._open_backends.open() as backends:
            names = asked.get("columns", PRODUCT_COLUMNS)
            return read_products(backends.db, _brands(context), names, inactive=bool(asked.get("inactive")))


class ObjectManifestIOManager(dg.IOManager):
    """What runs stored, as Parquet manifests in the object store; read, it is what each partition's last run stored."""

    def __init__(self, backends: BackendsResource) -> None:
        self._open_backends = backends

    def handle_output(self, context: dg.OutputContext, obj: StoredByRun) -> None:
        """Write the run's manifest; where the stage had to stop, this is also where the step fails."""
        report = obj.report
        told = metadata_of(report)
        with (
            obj.manifest,
            fail_in_one_sentence(f"{report.stage} of {report.brand}"),
            self._open_backends.open() as backends,
        ):
            try:
                key = obj.manifest.store(backends.store, report.stage, report.brand, context.run_id)
            except StorageUnavailable as down:
                # A stage that stopped has told its cause, which is most often this one, too.
                why = f"{report.sentence()}; what it stored is in no manifest: {down}"
                if obj.stopped is not None:
                    why = f"{obj.stopped}" + ("; what it stored is in no manifest" if obj.manifest.rows else "")
                raise dg.Failure(why, metadata=told, allow_retries=False) from down
            told |= {
                "objects": location_of(backends.store.public_url(f"{report.stage}/{report.brand}")),
                "manifest": location_of(backends.store.public_url(key)),
                "manifest_key": key,
                "manifest_rows": obj.manifest.rows,
            }
        if obj.stopped is not None:
            if obj.contact_sheet is not None:
                told["contact_sheet"] = dg.MetadataValue.md(obj.contact_sheet)
            raise dg.Failure(str(obj.stopped), metadata=told, allow_retries=False) from obj.stopped
        context.log.info(report.sentence())
        context.add_output_metadata({**told, **lineage_of(report.stage)})

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The newest manifest of each of the input's partitions, one after the other."""
        asset = context.asset_key.path[-1]
        with fail_in_one_sentence(f"the manifests of {asset} can't be read"), self._open_backends.open() as backends:
            return manifest.newest(backends.store, asset, _brands(context))


def read_products(db: Database, brands: Sequence[str], names: Sequence[str], *, inactive: bool) -> "pd.DataFrame":
    """Columns of raw_products as a DataFrame, typed also when empty; ValueError for a column that is not there."""
    import pandas as pd

    there = db.run(product_rows.columns)
    unknown = [name for name in names if name not in there]
    if isinstance(names, str) or unknown:
        wrong = names if isinstance(names, str) else ", ".join(map(str, unknown))
        raise ValueError(f"raw_products has no column {wrong}: `columns` wants a list of {', '.join(there)}")
    values: Mapping[str, list[Any]] = {name: [] for name in names}
    after = 0
    while rows := db.run(product_rows.page, brands, list(names), after, inactive=inactive):
        after = rows[-1]["id"]
        for name, column in values.items():
            column.extend(row[name] for row in rows)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=_DTYPES.get(there[name], "object")) for name, column in values.items()}
    )


def _brands(context: dg.InputContext) -> Sequence[str]:
    """The partitions that are asked for; all brands where none is named."""
    if context.has_asset_partitions:
        return context.asset_partition_keys
    return BRAND_PARTITIONS.get_partition_keys()
