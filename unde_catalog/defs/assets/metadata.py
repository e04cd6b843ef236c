"""What every asset says of itself beside its own file: owners, its table with the columns, where to read on.

What an asset does, and what to do when it is red, is its own docstring.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import dagster as dg

from unde_catalog.defs.assets.production_tables import CATALOG_PRODUCTS
from unde_catalog.defs.assets.staging_tables import (
    PRODUCT_COLLAGES,
    PRODUCT_EMBEDDINGS,
    PRODUCT_PHOTOS,
    RAW_AVAILABILITY,
    RAW_PRODUCTS,
    RAW_STORES,
    XIMILAR_RECORDS,
)
from unde_catalog.defs.assets.tables import Table
from unde_catalog.settings.environment import Settings

TABLES: Mapping[str, Table] = {
    "raw_products": RAW_PRODUCTS,
    "raw_stores": RAW_STORES,
    "originals": PRODUCT_PHOTOS,
    "collages": PRODUCT_COLLAGES,
    "ximilar_index": XIMILAR_RECORDS,
    "visual_index": PRODUCT_EMBEDDINGS,
    "availability": RAW_AVAILABILITY,
    "production_catalog": CATALOG_PRODUCTS,
}

# Sections of the documentation; a test checks that they exist.
READ_ON: Mapping[str, str] = {
    "raw_products": "docs/reference/rules.md#collecting",
    "raw_stores": "docs/reference/external-services.md#stores-stock-and-locations",
    "originals": "docs/reference/rules.md#photos",
    "collages": "docs/reference/rules.md#photos",
    "ximilar_index": "docs/reference/rules.md#indexing",
    "visual_index": "docs/search.md",
    "availability": "docs/reference/rules.md#recurring-checks",
    "production_catalog": "docs/reference/rules.md#publishing",
}


def asset_metadata(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec], settings: Settings
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets with `ASSET_OWNERS`, and those in `TABLES` with their table's name and columns."""

    def explain(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.merge_attributes(
            owners=[owner for owner in settings.asset_owners if owner not in spec.owners],
            metadata=_metadata(spec.key.path[-1], settings),
        )

    return [*dg.map_asset_specs(explain, assets)]


def lineage_of(asset: str) -> dict[str, Any]:
    """Which columns of other assets its columns are made from, as metadata of a materialization."""
    return TABLES[asset].lineage() if asset in TABLES else {}


def _metadata(asset: str, settings: Settings) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if asset in TABLES:
        table = TABLES[asset]
        told["dagster/table_name"] = f"{_database(table, settings)}.public.{table.name}"
        told["dagster/column_schema"] = table.schema()
    if asset in READ_ON:
        told["read_on"] = READ_ON[asset]
    return told


def _database(table: Table, settings: Settings) -> str:
    """The database's name in the set address; the embedded ones are called by their kind."""
    url = settings.staging_db_url if table.database == "staging" else settings.production_db_url
    return unquote(urlsplit(url.get_secret_value()).path.strip("/")) if url else table.database
