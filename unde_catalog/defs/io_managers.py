"""IO managers: they store assets and load them as pandas DataFrames.

They handle rows and manifests, never image bytes. What is stored, and where, is decided in `stages/` and `stores/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import dagster as dg

from unde_catalog.defs.asset_content import content_of
from unde_catalog.defs.asset_metadata import lineage_of
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence, failure_on_partition, location_of, metadata_of
from unde_catalog.defs.stage_execution import StageOutput
from unde_catalog.stages.raw_products.collect import ProductStream
from unde_catalog.stages.run import merge_products
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.db.typed_rows import TypedRows
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging.asset_rows import asset_rows
from unde_catalog.stores.staging.products import product_rows
from unde_catalog.stores.staging.user_media import media_days

if TYPE_CHECKING:
    import pandas as pd

# The columns that are loaded by default.
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
    **dict.fromkeys(("int2", "int4", "int8"), "Int64"),
    "bool": "boolean",
    "varchar": "str",
    "timestamptz": "datetime64[us, UTC]",
}  # other types stay objects: a numeric is a Decimal, jsonb the Python value


class PostgresProductIOManager(dg.IOManager):
    """Merges a stream of products into `raw_products`, and loads columns of a brand's products.

    The metadata of an input selects what is loaded: `{"columns": ["external_id", "price"], "inactive": True}`. The
    default is `PRODUCT_COLUMNS` of active products.
    """

    def __init__(self, backends: BackendsResource) -> None:
        self._open_backends = backends

    def handle_output(self, context: dg.OutputContext, obj: ProductStream) -> None:
        """Read the stream and merge it. The first request to the source is sent here."""
        with (
            failure_on_partition(context, obj.brand),
            fail_in_one_sentence(f"raw_products of {obj.brand} could not start"),
            self._open_backends.open() as backends,
        ):
            report = merge_products(obj, backends)
            content = content_of("raw_products", obj.brand, backends, context.log)
        context.log.info(report.sentence())
        context.add_output_metadata({**metadata_of(report, content), **lineage_of("raw_products")})

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The products of the input's partitions, ordered by id."""
        selection = context.definition_metadata or {}
        with fail_in_one_sentence("raw_products could not be read"), self._open_backends.open() as backends:
            names = selection.get("columns", PRODUCT_COLUMNS)
            return read_products(backends.db, _brands(context), names, inactive=bool(selection.get("inactive")))


class ObjectManifestIOManager(dg.IOManager):
    """Stores what a run stored as a Parquet manifest; loads what all runs have stored."""

    def __init__(self, backends: BackendsResource) -> None:
        self._open_backends = backends

    def handle_output(self, context: dg.OutputContext, obj: StageOutput) -> None:
        """Write the run's manifest. The step of a stage that had to stop fails here."""
        with failure_on_partition(context, obj.report.brand):
            self._store(context, obj)

    def _store(self, context: dg.OutputContext, obj: StageOutput) -> None:
        report = obj.report
        with (
            obj.manifest,
            fail_in_one_sentence(f"{report.stage} of {report.brand}"),
            self._open_backends.open() as backends,
        ):
            metadata = metadata_of(report, content_of(report.stage, report.brand, backends, context.log))
            try:
                key = obj.manifest.store(backends.store, report.stage, report.brand, context.run_id)
            except StorageUnavailable as down:
                # A stage that stopped names its cause, which is usually the same.
                message = f"{report.sentence()}; the manifest could not be stored: {down}"
                if obj.stopped is not None:
                    message = f"{obj.stopped}" + ("; the manifest could not be stored" if obj.manifest.rows else "")
                raise dg.Failure(message, metadata=metadata, allow_retries=False) from down
            metadata |= {
                "objects": location_of(backends.store.public_url(f"{report.stage}/{report.brand}")),
                "manifest": location_of(backends.store.public_url(key)),
                "manifest_key": key,
            }
            if obj.manifest.rows:
                metadata["manifest_rows"] = obj.manifest.rows
        if obj.stopped is not None:
            if obj.contact_sheet is not None:
                metadata["contact_sheet"] = dg.MetadataValue.md(obj.contact_sheet)
            raise dg.Failure(str(obj.stopped), metadata=metadata, allow_retries=False) from obj.stopped
        context.log.info(report.sentence())
        context.add_output_metadata({**metadata, **lineage_of(report.stage)})

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """All stored objects of the input's partitions, whichever run stored them, with the columns of a manifest."""
        return _load_table(context, self._open_backends)


class TableIOManager(dg.IOManager):
    """Loads what is stored of an asset whose stage writes its own table or another system."""

    def __init__(self, backends: BackendsResource) -> None:
        self._open_backends = backends

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Nothing is left to store."""

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame | str":
        """The rows of the input's partitions; of `catalog_report` its text in Markdown, as it would be now."""
        if context.asset_key.path[-1] != "catalog_report":
            return _load_table(context, self._open_backends)
        from unde_catalog.operations.report.catalog import build  # few processes need it

        with fail_in_one_sentence("the report could not be built"), self._open_backends.open() as backends:
            return build(backends).markdown


def _load_table(context: dg.InputContext, resource: BackendsResource) -> "pd.DataFrame":
    asset = context.asset_key.path[-1]
    with fail_in_one_sentence(f"{asset} could not be read"), resource.open() as backends:
        if asset == "user_media_days":
            return _days_of_user_media(backends.db)
        brands, days = _brands(context), _days(context)
        if asset != "production_catalog":
            return _frame(backends.db.run(asset_rows, asset, brands, days))
        if backends.production is None:
            raise dg.Failure("nothing is published: set PRODUCTION_DB_URL", allow_retries=False)
        return _frame(backends.production.run(catalog.published_rows, brands))


def _days_of_user_media(db: Database) -> "pd.DataFrame":
    import pandas as pd

    days = db.run(media_days.days, media_days.DAYS_SHOWN)
    return pd.DataFrame([asdict(day) for day in days], columns=[field.name for field in fields(media_days.MediaDay)])


def _frame(found: TypedRows) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Series([row[name] for row in found.rows], dtype=_DTYPES.get(type, "object"))
            for name, type in found.types.items()
        }
    )


def read_products(db: Database, brands: Sequence[str], names: Sequence[str], *, inactive: bool) -> "pd.DataFrame":
    """Columns of raw_products as a DataFrame, typed even when empty. ValueError for an unknown column."""
    import pandas as pd

    known = db.run(product_rows.columns)
    unknown = [name for name in names if name not in known]
    if isinstance(names, str) or unknown:
        wrong = names if isinstance(names, str) else ", ".join(map(str, unknown))
        raise ValueError(f"raw_products has no column {wrong}: `columns` is a list of {', '.join(known)}")
    values: Mapping[str, list[Any]] = {name: [] for name in names}
    after = 0
    while rows := db.run(product_rows.page, brands, list(names), after, inactive=inactive):
        after = rows[-1]["id"]
        for name, column in values.items():
            column.extend(row[name] for row in rows)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=_DTYPES.get(known[name], "object")) for name, column in values.items()}
    )


def _brands(context: dg.InputContext) -> Sequence[str]:
    """The brands of the input's partitions; all brands for an unpartitioned asset."""
    if context.has_asset_partitions:
        return list(dict.fromkeys(key.partition("|")[0] for key in context.asset_partition_keys))
    return BRAND_PARTITIONS.get_partition_keys()


def _days(context: dg.InputContext) -> Sequence[str] | None:
    """The days of the input's partitions, which are brand|day; None for other partitions."""
    keys = context.asset_partition_keys if context.has_asset_partitions else ()
    return [key.partition("|")[2] for key in keys if "|" in key] or None
