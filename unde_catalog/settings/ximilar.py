"""What can be set for Ximilar: its collection and its limits. Read from the environment by `environment.py` alone.

What is sent there is in `index/`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr


class XimilarFields(BaseModel):
    """The account, the collection and their limits."""

    ximilar_api_token: SecretStr | None = Field(default=None, description="a Ximilar API token")
    ximilar_collection_id: str | None = Field(default=None, description="the id of a Ximilar collection")
    ximilar_api_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://api.ximilar.com"), description="the address of Ximilar's API"
    )
    ximilar_prefix: str = Field(
        default="/similarity/fashion-new/v2/",
        pattern=r"^/?[\w-]+(/[\w-]+)*/?$",
        description="the path that fits the kind of collection, e.g. /similarity/fashion-new/v2/",
    )
    ximilar_rate_limit: Annotated[float, Field(gt=0, le=1_000)] = Field(default=10, description="requests a second")
    ximilar_monthly_credits: Annotated[int, Field(ge=0)] = Field(
        default=10_000, description="records that may be inserted (and are billed) in a calendar month (UTC), 0 or more"
    )
