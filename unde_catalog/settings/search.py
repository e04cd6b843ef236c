"""What can be set for the visual index and its search. Read from the environment by `environment.py` alone.

What is embedded, and how it is searched, is in `index/`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

SEARCH_PORT = 8008  # where the API and its page serve, unless told otherwise (spec 3)

EmbeddingChoice = Literal["auto", "clip", "descriptor"]


PerMinute = Annotated[int, Field(ge=0, le=1_000_000)]


class SearchFields(BaseModel):
    """The model of embeddings, where they are searched, and what the API lets anybody do."""

    embedding_model: EmbeddingChoice = Field(
        default="auto", description="auto, clip or descriptor: what makes the embeddings"
    )
    clip_model_dir: Path | None = Field(
        default=None,
        description="a folder with CLIP's files: vision/model.onnx, text/model.onnx and what is beside them",
    )
    qdrant_url: AnyHttpUrl | None = Field(default=None, description="the address of a Qdrant server")
    qdrant_api_key: SecretStr | None = Field(default=None, description="its API key")
    visual_index_batch_size: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="a whole number from 1 to 10000"
    )

    search_needs_key: bool = Field(default=False, description="true or false: reading wants an API key, too")
    # A page of results is one request, a filter another; somebody who tries out all of them makes sixty a minute.
    search_rate_per_minute: PerMinute = Field(default=300, description="requests of an address, 0 for any number")
    search_key_rate_per_minute: PerMinute = Field(default=3_000, description="requests of a key, 0 for any number")
    search_trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses or networks with commas between: reverse proxies whose X-Forwarded-For is believed",
    )
    search_photo_max_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        default=20_000_000, description="bytes a photo to search by may have, 1000 to 100000000"
    )
    # Phones make 50 at the most without being asked for more.
    search_photo_max_pixels: Annotated[int, Field(ge=10_000, le=100_000_000)] = Field(
        default=50_000_000, description="pixels a photo to search by may have, 10000 to 100000000"
    )
    search_memory_mb: Annotated[int, Field(ge=64)] = Field(
        default=500, description="decoded megabytes at once while photos are searched by, 64 or more"
    )
    search_timeout: Annotated[float, Field(gt=0, le=600)] = Field(
        default=15, description="seconds for one search, up to 600"
    )

    @field_validator("search_trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
