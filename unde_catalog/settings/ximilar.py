"""Settings of Ximilar. Only `environment.py` reads them from the environment.

What is sent to Ximilar is in `stages/ximilar_index/`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr


class XimilarFields(BaseModel):
    """The account, its collection, and limits."""

    ximilar_api_token: SecretStr | None = Field(default=None, description="the Ximilar account's API token")
    ximilar_collection_id: str | None = Field(default=None, description="the id of the Ximilar collection")
    ximilar_api_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://api.ximilar.com"), description="the URL of Ximilar's API"
    )
    ximilar_prefix: str = Field(
        default="/similarity/fashion-new/v2/",
        pattern=r"^/?[\w-]+(/[\w-]+)*/?$",
        description="the path of the collection's kind, such as /similarity/fashion-new/v2/",
    )
    ximilar_rate_limit: Annotated[float, Field(gt=0, le=1_000)] = Field(
        default=10, description="requests a second over all processes, up to 1000"
    )
    ximilar_monthly_credits: Annotated[int, Field(ge=0)] = Field(
        default=10_000, description="records that may be inserted, and are billed, in a calendar month (UTC), 0 or more"
    )
