"""Settings of the visual index and the search API. Only `environment.py` reads them from the environment.

What is embedded is in `stages/visual_index/`; the API is in `services/search/`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

SEARCH_PORT = 8008  # the default port of the API and its page

EmbeddingChoice = Literal["auto", "clip", "descriptor"]
PerMinute = Annotated[int, Field(ge=0, le=1_000_000)]


class SearchFields(BaseModel):
    """The embedding model, where embeddings are searched, and the limits of the API."""

    embedding_model: EmbeddingChoice = Field(
        default="auto", description="auto, clip or descriptor: the model that makes embeddings"
    )
    clip_model_dir: Path | None = Field(
        default=None,
        description="a folder with CLIP's files in vision/ and text/",
    )
    search_dictionary: Path | None = Field(
        default=None, description="a file with the words of clothes, instead of the one that comes with the project"
    )
    qdrant_url: AnyHttpUrl | None = Field(default=None, description="the URL of a Qdrant server")
    qdrant_api_key: SecretStr | None = Field(default=None, description="the Qdrant server's API key")
    visual_index_batch_size: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="products of visual_index leased at once, 1 to 10000; default: BATCH_SIZE, else 200"
    )

    search_db_url: SecretStr | None = Field(
        default=None,
        description="postgresql://role:password@host:6432/unde_staging, a read replica for searches",
    )
    search_public_url: AnyHttpUrl | None = Field(
        default=None, description="the base URL of photos in the API's responses; default: the request's own"
    )
    search_needs_key: bool = Field(default=False, description="true or false: whether reading needs an API key")
    # Each search and each change of a filter is one request; a user who tries all filters sends sixty a minute.
    search_rate_per_minute: PerMinute = Field(
        default=300, description="requests a minute from one address, 0 for no limit"
    )
    search_key_rate_per_minute: PerMinute = Field(
        default=3_000, description="requests a minute with one key, 0 for no limit"
    )
    search_trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1", "::1"),
        description="comma-separated addresses or networks of reverse proxies whose X-Forwarded-For is trusted",
    )
    search_photo_max_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        default=20_000_000, description="the largest uploaded photo in bytes, 1000 to 100000000"
    )
    # Phones take photos of at most 50 megapixels by default.
    search_photo_max_pixels: Annotated[int, Field(ge=10_000, le=100_000_000)] = Field(
        default=50_000_000, description="the largest uploaded photo in pixels, 10000 to 100000000"
    )
    search_memory_mb: Annotated[int, Field(ge=64)] = Field(
        default=500, description="memory for uploaded photos that are decoded at the same time, in MB, 64 or more"
    )
    search_timeout: Annotated[float, Field(gt=0, le=600)] = Field(
        default=15, description="seconds for one search, up to 600"
    )

    @field_validator("search_trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
