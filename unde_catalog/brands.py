"""The brands: one registry of all that differs from brand to brand.

No secrets and nothing that an operator sets here: that is `settings/environment.py`.
"""

from dataclasses import dataclass
from typing import Literal

IndexScope = Literal["pilot", "pgvector", "off"]
SourceKind = Literal["apify", "bakai"]
Collected = Literal["weekly", "daily"]
StockProtocolName = Literal["campaign", "available-sizes", "skus", "zara"]  # how a brand's stock API responds


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand partition.

    `key` is the partition key, the `brand` column and the folder name ([a-z0-9]+); `name` is for people.
    `collect_hour` is the hour, of Sunday or of each day, at which it is collected from its source (specs 1 and 2).
    `use_proxy`, `index_scope` and `download_delay` (seconds between two requests of a slot, None: as for all) are
    defaults that `<BRAND>_USE_PROXY` and so on override. `photo_hosts` are the hosts that photos are asked for through
    the proxy (`<BRAND>_PHOTO_HOSTS` overrides them). `stock_shape` is how its shops' API answers, as far as known
    (spec 6; `<BRAND>_STOCK_SHAPE` overrides it); without shops it has no meaning. `any_currency`: what it sells in
    is not one country's (`<BRAND>_PUBLISH_CURRENCIES` overrides it).
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
        """Why nothing is asked of its shops; None where it has some."""
        return None if self.has_stores else f"{self.name} has no shops"


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


def brand_for(key: str) -> Brand:
    """The brand of that key; `ValueError` names the known ones."""
    try:
        return BRANDS[key]
    except KeyError:
        raise ValueError(f"unknown brand {key!r}; the brands are {', '.join(BRANDS)}") from None
