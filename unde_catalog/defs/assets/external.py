"""External assets: where the data comes from and where it goes, so that lineage is complete.

Dagster never materializes them and nothing here sends a request. `unde-catalog doctor` tests the services.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import AnyHttpUrl, SecretStr

from unde_catalog.brands import BRANDS
from unde_catalog.settings.bakai import BakaiFields
from unde_catalog.settings.environment import Settings

# Two groups, because with one the lineage of groups would be a circle.
SOURCES, DESTINATIONS = "sources", "destinations"

# The fields of a dataset item that the catalogue reads.
_ITEM = (
    ("id", "The product's id at the brand."),
    ("name", "The name."),
    ("description", "The description."),
    ("price", "The price in fils: 69900 is 699.00 AED."),
    ("category", "Such as `woman-outerwear-padded`."),
    ("colors", "Names of the colours."),
    ("sizes", "Names of the sizes."),
    ("detailedComposition", "The materials, by part."),
    ("colorsSizesImagesJSON", "Each colour with the URLs of its photos (`xmedia`) and its sizes."),
)

_APIFY = """The brand's task in Apify's console: a saved run of an actor that lists the products as a dataset.

A task is created by hand in the console. Its id goes into `APIFY_TASK_<BRAND>`, the account's token into
`APIFY_TOKEN`. A brand without an id is "not configured". To check it, open the last run of the task in the console: its
status, its log and its number of items."""

_BAKAI = """BakaiMarket's list of products: the API of its CDN or the objects of its bucket, as set by `BAKAI_SOURCE`.

Reading it is free and starts nothing. Without keys the brand is "not configured". How its responses are read is
described in `stages/raw_products/bakai_api.py`. To check it, run `unde-catalog doctor --only bakai`; it tests both."""

_CDN = """The photo servers of a brand. Where `PROXY_URL` is set, requests go through the residential proxy.

Through the proxy, only `<BRAND>_PHOTO_HOSTS` are requested. `CONCURRENT_DOWNLOADS` and `DOWNLOAD_DELAY_MIN` set the
rate, `<BRAND>_...` the rate of one brand. To check it, run `unde-catalog doctor --only proxy`, and look at the failures
of `originals` by reason: 403 or 407 means that the proxy or the host denies access, 404 that a photo is gone."""

_SHOPS = """The APIs of the brand's own site for its stores and their stock. They are unofficial and change unannounced.

The stores are those of `DUBAI_<BRAND>_STORES`; the URLs are `<BRAND>_STOCK_API_URL` and `<BRAND>_SHOP_FINDER_URL`. To
check it, run `unde-catalog status`, which lists throttled hosts, and `unde-catalog doctor --only stores`."""

_OBJECTS = """The bucket, or a folder where `S3_ENDPOINT` is not set. The app, virtual try-on and Ximilar read photos
and collages here, by the URLs in `image_urls` and `collage_url`.

To check it, run `unde-catalog doctor --only object-store`. `unde-catalog verify` compares the objects with their
rows."""

_XIMILAR = """The collection of Ximilar's fashion search: a record for each photo that was sent.

The collection is `XIMILAR_COLLECTION_ID`, its kind is `XIMILAR_PREFIX`, and the budget is `XIMILAR_MONTHLY_CREDITS`.
To check it, see Ximilar's console for the credits and the size of the collection, and run
`unde-catalog doctor --only ximilar`."""

_PRODUCTION = """The database that the app reads: `catalog_products`, `catalog_availability` and `catalog_stores`.

Data flows one way: only what publishing needs is read back. The URL is `PRODUCTION_DB_URL`; while `STAGING_DB_URL` is
set and this is not, nothing is published. To check it, run `unde-catalog doctor --only production-database`."""


def external_assets(settings: Settings) -> list[dg.AssetSpec]:
    """All of them, each with the settings that configure it; of a secret, only whether it is set."""
    brands = settings.brands
    with_stores = {key: own for key, own in brands.items() if BRANDS[key].has_stores}
    return [
        _external_asset(
            "apify_task", _APIFY, {"apify"},
            {"APIFY_TOKEN": settings.apify_token, "APIFY_API_URL": settings.apify_api_url},
            {
                f"APIFY_TASK_{key.upper()}": own.apify_task
                for key, own in brands.items()
                if BRANDS[key].source_kind == "apify"
            },
            columns=_ITEM,
        ),
        _external_asset(
            "bakai_list", _BAKAI, {"http", "s3"},
            {name.upper(): getattr(settings, name) for name in BakaiFields.model_fields},
        ),
        _external_asset(
            "brand_cdn", _CDN, {"http", "jpeg"},
            {"PROXY_URL": settings.proxy_url},
            {f"{brand.upper()}_PHOTO_HOSTS": own.photo_hosts for brand, own in brands.items()},
        ),
        _external_asset(
            "shops_api", _SHOPS, {"http"},
            {f"{brand.upper()}_STOCK_API_URL": own.stock_api_url for brand, own in with_stores.items()},
            {f"{brand.upper()}_SHOP_FINDER_URL": own.shop_finder_url for brand, own in with_stores.items()},
            {f"DUBAI_{brand.upper()}_STORES": own.stores for brand, own in with_stores.items()},
        ),
        _external_asset(
            "object_store", _OBJECTS, {"s3", "jpeg"},
            {
                "S3_ENDPOINT": settings.s3_endpoint,
                "S3_BUCKET": settings.s3_bucket if settings.s3_endpoint else None,
                "OBJECT_BASE_URL": settings.object_base_url,
            },
            written_by=("originals", "collages"),
        ),
        _external_asset(
            "ximilar_collection", _XIMILAR, {"ximilar"},
            {
                "XIMILAR_API_TOKEN": settings.ximilar_api_token,
                "XIMILAR_COLLECTION_ID": settings.ximilar_collection_id,
                "XIMILAR_API_URL": settings.ximilar_api_url,
                "XIMILAR_PREFIX": settings.ximilar_prefix,
                "XIMILAR_MONTHLY_CREDITS": settings.ximilar_monthly_credits,
            },
            written_by=("ximilar_index",),
        ),
        _external_asset(
            "production_database", _PRODUCTION, {"postgres"},
            {"PRODUCTION_DB_URL": settings.production_db_url},
            written_by=("production_catalog",),
        ),
    ]  # fmt: skip


def _external_asset(
    name: str,
    description: str,
    kinds: set[str],
    *settings: Mapping[str, object],
    written_by: Sequence[str] = (),
    columns: Sequence[tuple[str, str]] = (),
) -> dg.AssetSpec:
    metadata: dict[str, Any] = {"settings": _table({key: one for part in settings for key, one in part.items()})}
    if columns:
        metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[dg.TableColumn(column, "json", meaning) for column, meaning in columns]
        )
    return dg.AssetSpec(
        name,
        description=description,
        kinds=kinds,
        group_name=DESTINATIONS if written_by else SOURCES,
        metadata=metadata,
        deps=list(written_by),
        tags={"external": "yes"},
    )


def _table(settings: Mapping[str, object]) -> dg.MarkdownMetadataValue:
    lines = [
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {_display(value)} |" for name, value in settings.items()),
    ]
    return dg.MetadataValue.md("\n".join(lines))


def _display(value: object) -> str:
    """The value of a setting that may be shown: a URL without credentials and query."""
    match value:
        case None | "" | ():
            return "not set"
        case SecretStr():
            return "set"
        case AnyHttpUrl():
            return re.sub(r"//[^/]*@", "//", str(value)).partition("?")[0].rstrip("/")
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value).replace("|", "\\|")
