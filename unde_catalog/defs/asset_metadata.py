"""What every asset declares beside its own file: owners, freshness policy, its table with the columns, a docs page.

What an asset contains, and what to do when it fails, is in its own docstring.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import dagster as dg

from unde_catalog.defs.table_schemas.production import CATALOG_PRODUCTS
from unde_catalog.defs.table_schemas.staging import (
    PRODUCT_COLLAGES,
    PRODUCT_EMBEDDINGS,
    PRODUCT_PHOTOS,
    RAW_AVAILABILITY,
    RAW_PRODUCTS,
    RAW_STORES,
    XIMILAR_RECORDS,
)
from unde_catalog.defs.table_schemas.table import Table
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import STAGE_SPECS, Lateness

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

# Pages of the documentation, relative to the repository.
READ_ON: Mapping[str, str] = {
    "raw_products": "docs/reference/rules.md#collecting",
    "raw_stores": "docs/reference/external-services.md#stores-stock-and-locations",
    "originals": "docs/reference/rules.md#photos",
    "collages": "docs/reference/rules.md#photos",
    "ximilar_index": "docs/reference/rules.md#indexing",
    "visual_index": "docs/search.md",
    "availability": "docs/reference/rules.md#recurring-checks",
    "production_catalog": "docs/reference/rules.md#publishing",
    "catalog_report": "docs/operations.md#a-working-day",
    "user_media_days": "docs/user-media.md#monitoring",
}

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# The assets that are no stage.
_LATENESS: Mapping[str, Lateness] = {
    "catalog_report": Lateness(2 * _HOUR, 6 * _HOUR),
    "user_media_days": Lateness(2 * _DAY, None),
}


def with_metadata(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec], settings: Settings
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The same assets with all that this module knows of them."""

    def explain(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.path[-1]
        return spec.merge_attributes(
            owners=[owner for owner in settings.asset_owners if owner not in spec.owners],
            metadata=_metadata(name, settings),
        ).replace_attributes(freshness_policy=freshness_policy(name))

    return [*dg.map_asset_specs(explain, assets)]


def freshness_policy(asset: str) -> dg.FreshnessPolicy | None:
    """How old the asset's latest materialization may be; None for assets that Dagster does not materialize.

    Dagster judges an asset by the latest materialization of any partition; the check `fresh` judges each brand. Due
    work of photos and indexes comes from collecting products, so these stages may rest as long as collecting does.
    """
    lateness = STAGE_SPECS[asset].lateness if asset in STAGE_SPECS else _LATENESS.get(asset)
    if lateness is None:
        return None
    if lateness.only_while_due:
        lateness = STAGE_SPECS["raw_products"].lateness
    # A stage that is never urgent counts as failed after twice its limit.
    fail = lateness.alert or 2 * lateness.warn
    return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=lateness.warn)


def lineage_of(asset: str) -> dict[str, Any]:
    """The columns of other assets that its columns are made from, as metadata of a materialization."""
    return TABLES[asset].lineage() if asset in TABLES else {}


def _metadata(asset: str, settings: Settings) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if asset in TABLES:
        table = TABLES[asset]
        metadata["dagster/table_name"] = f"{_database(table, settings)}.public.{table.name}"
        metadata["dagster/column_schema"] = table.schema()
    if asset in READ_ON:
        metadata["read_on"] = READ_ON[asset]
    return metadata


def _database(table: Table, settings: Settings) -> str:
    """The database name in the configured URL; for an embedded database, what it is for."""
    url = settings.staging_db_url if table.database == "staging" else settings.production_db_url
    return unquote(urlsplit(url.get_secret_value()).path.strip("/")) if url else table.database
