"""Settings of photo downloads and collages. Only `environment.py` reads them from the environment.

The stages are in `stages/photos/`; how a host is treated is in `net/`.
"""

from typing import Annotated

from pydantic import BaseModel, Field, FilePath, SecretStr, StringConstraints, field_validator

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=100_000)]
# static.zara.net or *.zara.net, optionally with :port; never an IP address
PhotoHost = Annotated[
    str, StringConstraints(pattern=r"(?i)^(\*\.)?([a-z0-9_-]+\.)*[a-z][a-z0-9-]*(:[1-9]\d{0,4})?$", to_lower=True)
]
BatchSize = Annotated[int, Field(ge=1, le=10_000)]
Retries = Annotated[int, Field(ge=0, le=10)]


class PhotoFields(BaseModel):
    """The fields; a field's name in capitals is its environment variable."""

    proxy_url: SecretStr | None = Field(
        None, description="http://user:password@host:port, the proxy for photo downloads"
    )
    proxy_ca_bundle: FilePath | None = Field(
        None,
        description="a file of PEM certificates, trusted besides the system's, for a proxy that re-signs TLS",
    )
    originals_batch_size: BatchSize | None = Field(
        None, description="products of originals leased at once, 1 to 10000; default: BATCH_SIZE, else 200"
    )
    collages_batch_size: BatchSize | None = Field(
        None, description="products of collages leased at once, 1 to 10000; default: BATCH_SIZE, else 100"
    )
    download_timeout: Seconds = Field(30, description="seconds for one photo, 0 to 86400")
    product_timeout: Seconds = Field(120, description="seconds for all photos of a product, 0 to 86400")
    download_delay_min: Seconds = Field(
        0.5, description="the shortest pause between two requests of a connection slot, in seconds"
    )
    download_delay_max: Seconds = Field(
        2.0, description="the longest pause between two requests of a connection slot, in seconds"
    )
    concurrent_downloads: Count = Field(10, description="concurrent downloads from one host, 1 to 100000")
    max_retries: Retries = Field(3, description="repeated requests for one photo, 0 to 10")
    photo_max_bytes: Annotated[int, Field(ge=1_000)] = Field(
        20_000_000, description="the largest photo in bytes, 1000 or more"
    )
    originals_memory_mb: Annotated[int, Field(ge=64)] = Field(
        1_000, description="memory for photos that are decoded at the same time, in MB, 64 or more"
    )
    adoption_requests_per_second: Annotated[float, Field(gt=0, le=1_000)] = Field(
        100, description="requests a second to the bucket while objects of other programs are adopted, up to 1000"
    )
    photo_allow_private_hosts: bool = Field(
        False, description="true or false: photos may come from this machine and private networks; for the sandbox only"
    )

    collage_quality: Annotated[int, Field(ge=1, le=100)] = Field(
        95, description="the JPEG quality of collages, 1 to 100"
    )
    collage_memory_mb: Annotated[int, Field(ge=64)] = Field(
        2_000, description="memory for photos that are decoded at the same time for collages, in MB, 64 or more"
    )

    @field_validator("proxy_url")
    @classmethod
    def _proxy_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("does not begin with http://")
        return value
