"""What lies outside and is not ours: where data comes from and where it goes, so that lineage runs from end to end.

Nothing here asks anything of anybody: whether a service answers is what `unde-catalog doctor` tells.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import AnyHttpUrl, SecretStr

from unde_catalog.brands import BRANDS
from unde_catalog.settings.bakai import BakaiFields
from unde_catalog.settings.environment import Settings

# Two groups, as with one the lineage of groups would run in a circle.
SOURCES, DESTINATIONS = "sources", "destinations"

# Fields of a dataset item that we read (spec 1).
_ITEM = (
    ("id", "The shop's number of the product."),
    ("name", "Its name."),
    ("description", "Its description."),
    ("price", "In fils: 69900 is 699.00 AED."),
    ("category", "Such as `woman-outerwear-padded`."),
    ("colors", "Names of its colours."),
    ("sizes", "Names of its sizes."),
    ("detailedComposition", "What it is made of, in parts."),
    ("colorsSizesImagesJSON", "Each colour with its photos' addresses (`xmedia`) and its sizes."),
)

_APIFY = """The brand's task in Apify's console: a preset run of an actor, which lists the products as a dataset.

Look at the task's last run in the console: its status, its log, how many items. A task is made there by hand; its id
goes into `APIFY_TASK_<BRAND>`, the account's token into `APIFY_TOKEN`. A brand without an id is "not configured"."""

_BAKAI = """BakaiMarket's list of products: its CDN's API, or its bucket's objects, as `BAKAI_SOURCE` says.

Nothing is started or paid for there. Look at `unde-catalog doctor --only bakai`, which asks both. Without keys the
brand is "not configured". What its answers are taken to be is written in `stages/raw_products/bakai_api.py`."""

_CDN = """The brand's servers of photos. They are asked through the residential proxy where `PROXY_URL` is set.

Look at `unde-catalog doctor --only proxy` first. Then at the failures of `originals` by reason: 403 or 407 is the
proxy or the host refusing us, 404 a photo that is gone. Through the proxy only `<BRAND>_PHOTO_HOSTS` are asked; how
fast, is set by `CONCURRENT_DOWNLOADS` and `DOWNLOAD_DELAY_MIN`, for one brand alone by `<BRAND>_...`."""

_SHOPS = """The APIs of the brand's own site: which shops there are, and what is in stock there. Unofficial: they change
without notice.

Look at `unde-catalog status`, which names hosts that are slowed down and why, and `unde-catalog doctor --only stores`.
Shops are those of `DUBAI_<BRAND>_STORES`; the addresses are `<BRAND>_STOCK_API_URL` and `<BRAND>_SHOP_FINDER_URL`."""

_OBJECTS = """The bucket, or the folder while no `S3_ENDPOINT` is set. The app, virtual try-on and Ximilar read photos
and collages here, by the addresses in `image_urls` and `collage_url`.

Look at `unde-catalog doctor --only object-store`. Whether objects and rows agree is told by `unde-catalog verify`."""

_XIMILAR = """The collection in Ximilar's fashion search: a record for each photo that we sent.

Look at Ximilar's console for credits and the collection's size, and at `unde-catalog doctor --only ximilar`. The
collection is `XIMILAR_COLLECTION_ID`, its kind `XIMILAR_PREFIX`; what may be spent is `XIMILAR_MONTHLY_CREDITS`."""

_PRODUCTION = """The database that the app reads: `catalog_products`, `catalog_availability` and `catalog_stores`.

Publishing goes one way: nothing is read back but what is needed to publish. Look at
`unde-catalog doctor --only production-database`; the address is `PRODUCTION_DB_URL`. While that is unset beside a
`STAGING_DB_URL`, nothing is published."""


def external_assets(settings: Settings) -> list[dg.AssetSpec]:
    """All of them, each with the settings that point there as they are now; of secrets only whether they are set."""
    general, brands = settings, settings.brands
    with_shops = {key: own for key, own in brands.items() if BRANDS[key].has_stores}
    return [
        _outside(
            "apify_task", _APIFY, {"apify"},
            {"APIFY_TOKEN": general.apify_token, "APIFY_API_URL": general.apify_api_url},
            {
                f"APIFY_TASK_{key.upper()}": own.apify_task
                for key, own in brands.items()
                if BRANDS[key].source_kind == "apify"
            },
            columns=_ITEM,
        ),
        _outside(
            "bakai_list", _BAKAI, {"http", "s3"},
            {name.upper(): getattr(general, name) for name in BakaiFields.model_fields},
        ),
        _outside(
            "brand_cdn", _CDN, {"http", "jpeg"},
            {"PROXY_URL": general.proxy_url},
            {f"{brand.upper()}_PHOTO_HOSTS": own.photo_hosts for brand, own in brands.items()},
        ),
        _outside(
            "shops_api", _SHOPS, {"http"},
            {f"{brand.upper()}_STOCK_API_URL": own.stock_api_url for brand, own in with_shops.items()},
            {f"{brand.upper()}_SHOP_FINDER_URL": own.shop_finder_url for brand, own in with_shops.items()},
            {f"DUBAI_{brand.upper()}_STORES": own.stores for brand, own in with_shops.items()},
        ),
        _outside(
            "object_store", _OBJECTS, {"s3", "jpeg"},
            {
                "S3_ENDPOINT": general.s3_endpoint,
                "S3_BUCKET": general.s3_bucket if general.s3_endpoint else None,
                "OBJECT_BASE_URL": general.object_base_url,
            },
            made_by=("originals", "collages"),
        ),
        _outside(
            "ximilar_collection", _XIMILAR, {"ximilar"},
            {
                "XIMILAR_API_TOKEN": general.ximilar_api_token,
                "XIMILAR_COLLECTION_ID": general.ximilar_collection_id,
                "XIMILAR_API_URL": general.ximilar_api_url,
                "XIMILAR_PREFIX": general.ximilar_prefix,
                "XIMILAR_MONTHLY_CREDITS": general.ximilar_monthly_credits,
            },
            made_by=("ximilar_index",),
        ),
        _outside(
            "production_database", _PRODUCTION, {"postgres"},
            {"PRODUCTION_DB_URL": general.production_db_url},
            made_by=("production_catalog",),
        ),
    ]  # fmt: skip


def _outside(
    name: str,
    description: str,
    kinds: set[str],
    *pointers: Mapping[str, object],
    made_by: Sequence[str] = (),
    columns: Sequence[tuple[str, str]] = (),
) -> dg.AssetSpec:
    metadata: dict[str, Any] = {"settings": _table({key: one for part in pointers for key, one in part.items()})}
    if columns:
        metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[dg.TableColumn(column, "json", meaning) for column, meaning in columns]
        )
    return dg.AssetSpec(
        name,
        description=description,
        kinds=kinds,
        group_name=DESTINATIONS if made_by else SOURCES,
        metadata=metadata,
        deps=list(made_by),
        tags={"outside": "yes"},
    )


def _table(settings: Mapping[str, object]) -> dg.MarkdownMetadataValue:
    lines = ["| setting | value |", "|---|---|", *(f"| {name} | {_shown(value)} |" for name, value in settings.items())]
    return dg.MetadataValue.md("\n".join(lines))


def _shown(value: object) -> str:
    """What may be seen of a setting: addresses without a user's name and password, or a query."""
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
