"""The interface of an embedding model, and its errors.

Which model is used is decided in `open_model.py`; the models are in `descriptor.py` and `clip.py`.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

Numbers = npt.NDArray[np.float32]
Kind = Literal["clip", "descriptor"]


class ModelMissing(RuntimeError):
    """The model can't be loaded on this machine; the message says why and what to do."""


class TextUnsupported(ValueError):
    """The model can't embed text."""


class EmbeddingModel(Protocol):
    """A model that embeds photos, safe to call from several threads.

    `name` holds kind and version, e.g. `descriptor@1`, and is stored with every embedding, since embeddings of two
    models can't be compared. `concurrency` is the best number of calls at once, `batch` the best number of photos a
    call.
    """

    name: str
    concurrency: int
    batch: int

    def embed_images(self, images: Sequence[Image.Image]) -> Numbers:
        """A row of 512 numbers of length 1 for each "RGB" image."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Numbers:
        """The same for texts, comparable with images; `TextUnsupported` if the model can't embed text."""
        ...


def kind_of(model: str) -> str:
    """The kind in a model's name: `clip` of `clip@1a2b3c`."""
    return model.partition("@")[0]
