"""What can be set for shops and their stock, in general and by brand.

Read from the environment by `environment.py` alone.

What the answers of the shops' APIs mean is in `stages/availability/protocols.py`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}/[a-z]{2}$")]
Digits = Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")]


class StockFields(BaseModel):
    """What holds for the shops of all brands."""

    availability_interval: Annotated[float, Field(ge=60, le=604_800)] = Field(
        default=3_600, description="seconds between two checks of a product's stock, 60 to 604800"
    )
    # A brand of 15,000 products has four checks a second, which go first; a small one need not hurry.
    stock_request_gap: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.5, description="seconds between two requests to a shop's API at the most, 0 to 60"
    )
    stock_timeout: Annotated[float, Field(gt=0, le=300)] = Field(
        default=15, description="seconds for one answer of a shop's API, up to 300"
    )
    shop_latitude: Annotated[float, Field(ge=-90, le=90)] = Field(
        default=25.2048, description="degrees: shops are looked for around here (Dubai)"
    )
    shop_longitude: Annotated[float, Field(ge=-180, le=180)] = Field(default=55.2708, description="degrees")


class StockOfBrand(BaseModel):
    """What may be set for the shops of one brand."""

    stores: Annotated[tuple[int, ...], NoDecode] = Field(default=(), description="shop ids with commas between")
    user_agent: str | None = Field(default=None, description="the shop app's User-Agent, e.g. ZaraApp/15.10.0 ...")
    stock_api_url: AnyHttpUrl | None = Field(default=None, description="the address of the shop's stock API")
    shop_finder_url: AnyHttpUrl | None = Field(
        default=None, description="the address of the brand's site, where shops are looked for"
    )
    stock_channel: Digits | None = Field(default=None, description="the number of the brand's store in its own APIs")
    stock_locale: Locale = Field(default="ae/en", description="country and language of Zara's site, like ae/en")

    @field_validator("stores", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
