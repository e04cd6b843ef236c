"""What can be set for the visual index and its search. Read from the environment by `settings.py` alone.

What is embedded, and how it is searched, is in `index/`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr

EmbeddingChoice = Literal["auto", "clip", "descriptor"]


class SearchFields(BaseModel):
    """The model of embeddings, and where they are searched."""

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
