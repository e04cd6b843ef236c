"""Settings of stores and their stock, general and by brand. Only `environment.py` reads them from the environment.

What the responses of stock APIs mean is in `stages/availability/protocols.py`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}/[a-z]{2}$")]
Digits = Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")]


class StockFields(BaseModel):
    """Settings for the stores of all brands."""

    availability_interval: Annotated[float, Field(ge=60, le=604_800)] = Field(
        default=3_600, description="seconds between two checks of a product's stock, 60 to 604800"
    )
    # 15,000 products an hour are four checks a second, so a large brand has a shorter pause; a small one has this one.
    stock_request_gap: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.5, description="the longest pause between two requests to a stock API, in seconds, 0 to 60"
    )
    stock_timeout: Annotated[float, Field(gt=0, le=300)] = Field(
        default=15, description="seconds for one response of a stock API, up to 300"
    )
    shop_latitude: Annotated[float, Field(ge=-90, le=90)] = Field(
        default=25.2048, description="degrees of latitude around which stores are looked for (Dubai)"
    )
    shop_longitude: Annotated[float, Field(ge=-180, le=180)] = Field(
        default=55.2708, description="degrees of longitude around which stores are looked for"
    )


class StockOfBrand(BaseModel):
    """Settings for the stores of one brand."""

    stores: Annotated[tuple[int, ...], NoDecode] = Field(default=(), description="comma-separated store ids")
    user_agent: str | None = Field(
        default=None, description="the User-Agent of the brand's app, such as ZaraApp/15.10.0"
    )
    stock_api_url: AnyHttpUrl | None = Field(default=None, description="the URL of the brand's stock API")
    shop_finder_url: AnyHttpUrl | None = Field(
        default=None, description="the URL of the brand's store finder, if it is not that of the stock API"
    )
    stock_channel: Digits | None = Field(
        default=None, description="the number of the brand's online store in its APIs (digits)"
    )
    stock_locale: Locale = Field(
        default="ae/en", description="country and language of the site, like ae/en (for the protocol zara)"
    )

    @field_validator("stores", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
