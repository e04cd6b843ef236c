"""The brands: everything that differs by brand and is no setting.

Settings of a brand are in `settings/environment.py`; how to add a brand is in CONTRIBUTING.md.
"""

from dataclasses import dataclass
from typing import Literal

IndexScope = Literal["pilot", "pgvector", "off"]
SourceKind = Literal["apify", "bakai"]
Collected = Literal["weekly", "daily"]
StockProtocolName = Literal["campaign", "available-sizes", "skus", "zara"]  # how a brand's stock API responds


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand: a partition of every stage.

    `key` is the partition key, the value of `brand` columns and the name of folders ([a-z0-9]+); `name` is for people.
    `collect_hour` is the hour of its collection, on Sundays or, if `collected` is "daily", every day.
    `photo_hosts` are the hosts that photos may be requested from through the proxy (overridden by
    `<BRAND>_PHOTO_HOSTS`). `stock_shape` is the protocol of its stock API (overridden by `<BRAND>_STOCK_SHAPE`); it has
    no meaning for a brand without stores. `any_currency`: its products are sold in currencies of several countries
    (overridden by `<BRAND>_PUBLISH_CURRENCIES`). `use_proxy`, `index_scope` and `download_delay` (seconds between two
    requests of a connection slot, None: the general setting) are the defaults of `<BRAND>_USE_PROXY`,
    `<BRAND>_INDEX_SCOPE` and `<BRAND>_DOWNLOAD_DELAY_MIN`.
    """

    key: str
    name: str
    collect_hour: int
    photo_hosts: tuple[str, ...] = ()
    stock_shape: StockProtocolName = "campaign"
    use_proxy: bool = True
    index_scope: IndexScope = "off"
    source_kind: SourceKind = "apify"
    collected: Collected = "weekly"
    has_stores: bool = True
    any_currency: bool = False
    download_delay: float | None = None

    @property
    def source(self) -> str:
        """The `source` column of its products, e.g. `apify_zara`, or `bakai`."""
        return self.key if self.source_kind == self.key else f"{self.source_kind}_{self.key}"

    @property
    def why_no_stores(self) -> str | None:
        """Why its stock is not checked; None for a brand that has stores."""
        return None if self.has_stores else f"{self.name} has no stores"


BRANDS: dict[str, Brand] = {
    brand.key: brand
    for brand in (
        Brand("zara", "Zara", collect_hour=2, photo_hosts=("*.zara.net",), stock_shape="zara"),
        Brand("bershka", "Bershka", collect_hour=3, photo_hosts=("*.bershka.net",), stock_shape="campaign"),
        Brand("pullandbear", "Pull&Bear", collect_hour=4, photo_hosts=("*.pullandbear.net",), stock_shape="skus"),
        Brand(
            "stradivarius",
            "Stradivarius",
            collect_hour=5,
            photo_hosts=("*.e-stradivarius.net",),
            stock_shape="campaign",
        ),
        Brand(
            "massimodutti",
            "Massimo Dutti",
            collect_hour=6,
            photo_hosts=("*.massimodutti.net",),
            stock_shape="available-sizes",
        ),
        Brand("oysho", "Oysho", collect_hour=7, photo_hosts=("*.oysho.net",), stock_shape="available-sizes"),
        Brand(
            "bakai",
            "BakaiMarket",
            collect_hour=2,
            use_proxy=False,
            index_scope="pgvector",
            source_kind="bakai",
            collected="daily",
            has_stores=False,
            any_currency=True,
            download_delay=0,
        ),
    )
}

# Keys of brands that were removed. Their partitions stay, because Dagster ends a whole backfill, with the runs of all
# brands, when one of its partitions is gone. Their own runs end with a sentence.
RETIRED_BRANDS: tuple[str, ...] = ()


def brand_for(key: str) -> Brand:
    """The brand of that key; `ValueError` names the known ones."""
    try:
        return BRANDS[key]
    except KeyError:
        raise ValueError(f"unknown brand {key!r}; the brands are {', '.join(BRANDS)}") from None
