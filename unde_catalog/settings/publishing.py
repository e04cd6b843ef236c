"""Limits of publishing, each with its reason. Only `environment.py` reads them from the environment.

The rules that apply them are in `product_rules.py` and `brand_rules.py` of `stages/production_catalog/`.
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


_BAND = re.compile(r"([A-Z]{3}):([0-9]{1,8}(?:\.[0-9]{1,2})?)-([0-9]{1,8}(?:\.[0-9]{1,2})?)")


class PublishFields(BaseModel):
    """Limits of the rules that a product, and a brand as a whole, must satisfy to be published."""

    # Prices are shown and compared in it; an item in another one is from another country's store. Empty: any currency.
    publish_currencies: Annotated[tuple[Currency, ...], NoDecode] = Field(
        default=("AED",), description="comma-separated currencies like AED that may be published"
    )
    # Three weekly scrapes: a product that none of them saw may no longer be on sale.
    publish_max_age_days: Annotated[float, Field(gt=0, le=3_650)] = Field(
        default=21, description="days since a scrape saw a product, up to 3650; older ones are not published"
    )
    # Between a pair of socks and a leather coat; whole dirhams read as fils are a hundredth of that.
    publish_price_bands: Annotated[dict[Currency, tuple[Decimal, Decimal]], NoDecode] = Field(
        default={"AED": (Decimal(5), Decimal(20_000)), "KGS": (Decimal(50), Decimal(500_000))},
        description="comma-separated bands like AED:5-20000 for the first price of a product; others are held back",
    )
    # No sale takes nine tenths off. A misplaced decimal point is a factor of 10, fils read as dirhams one of 100.
    publish_max_price_change: Annotated[float, Field(gt=1)] = Field(
        default=10, description="a product whose price changed by this factor or more is not published; above 1"
    )
    # No sale seen so far puts half a brand at a third of its price; dollars read as dirhams are a factor of 3.67.
    publish_max_price_shift: Annotated[float, Field(gt=1)] = Field(
        default=3, description="the factor by which the median price of a brand may change, above 1"
    )
    # So many failures have one cause, and it is not in the products.
    publish_max_failing_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.3, description="the largest share of a brand's products that may fail verification, 0 to 1"
    )
    # A complete scrape may lack 30 % (SCRAPE_MIN_SHARE); with some failures more than half must still remain.
    publish_min_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="the smallest share of a brand's published products that must remain on sale, 0 to 1"
    )

    @field_validator("publish_price_bands", mode="before")
    @classmethod
    def _read_bands(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        bands = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            found = _BAND.fullmatch(part)
            if found is None or Decimal(found[2]) >= Decimal(found[3]):
                raise ValueError("expected bands like AED:5-20000, separated by commas")
            bands[found[1]] = (Decimal(found[2]), Decimal(found[3]))
        return bands

    @field_validator("publish_currencies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
