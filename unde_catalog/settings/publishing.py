"""What can be set for publishing, each limit with its reason. Read from the environment by `environment.py` alone.

How they are applied is in `stages/production_catalog/rules.py` and `stages/production_catalog/brand_rules.py`.
"""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class PublishFields(BaseModel):
    """The limits of the rules that a product, and a brand as a whole, must keep to be published."""

    # Prices are shown and compared in it; an item in another one came from another country's shop. None listed: any.
    publish_currencies: Annotated[tuple[Currency, ...], NoDecode] = Field(
        default=("AED",), description="currencies like AED with commas between"
    )
    # Three weekly scrapes: what none of them saw is not known to be on sale.
    publish_max_age_days: Annotated[float, Field(gt=0, le=3_650)] = Field(default=21, description="days, up to 3650")
    # No sale takes off nine tenths; fils taken for dirhams are a hundredfold.
    publish_max_price_change: Annotated[float, Field(gt=1)] = Field(default=10, description="a factor above 1")
    # Half a brand at a third of its price is no sale yet seen; dollars taken for dirhams are a factor of 3.67.
    publish_max_price_shift: Annotated[float, Field(gt=1)] = Field(default=3, description="a factor above 1")
    # A share this big has one cause, which is not the products'.
    publish_max_failing_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.3, description="a share from 0 to 1"
    )
    # A complete scrape may take 30 % off (SCRAPE_MIN_SHARE); with some that fail it must still be more than half.
    publish_min_share: Annotated[float, Field(ge=0, le=1)] = Field(default=0.5, description="a share from 0 to 1")

    @field_validator("publish_currencies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
