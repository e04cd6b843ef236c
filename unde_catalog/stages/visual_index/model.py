"""What makes embeddings: the interface of a model, which one it is to be, and how a photo is brought before it.

The models themselves are `descriptor.py` and `clip.py`. A model's name says its version, and is kept with whatever it
made: embeddings of two models have nothing to do with each other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from unde_catalog.settings.search import EmbeddingChoice, SearchFields
from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import DEFAULT_LIMITS, decode_upright
from unde_catalog.stores.staging.index.models import Models

Numbers = npt.NDArray[np.float32]
Kind = Literal["clip", "descriptor"]

_ENOUGH = 448  # pixels a side that no model looks at more closely than half of


class ModelMissing(RuntimeError):
    """The model can't be had on this machine; the sentence says why and what to do."""


class TextUnsupported(ValueError):
    """The model knows no words."""


class EmbeddingModel(Protocol):
    """A model. Safe in several threads; `hands` and `batch` (photos) are how many calls and photos it likes at once."""

    name: str  # e.g. descriptor@1
    concurrency: int
    batch: int

    def embed_images(self, images: Sequence[Image.Image]) -> Numbers:
        """A row of 512 numbers of length 1 for each "RGB" image."""
        ...

    def embed_words(self, texts: Sequence[str]) -> Numbers:
        """The same for texts, to be compared with images; `TextUnsupported` where the model can't."""
        ...


def kind_of(model: str) -> str:
    """The kind of a model's name: `clip` of `clip@1a2b3c`."""
    return model.partition("@")[0]


def choose(setting: EmbeddingChoice, standing: Models, clip_at_hand: bool) -> Kind:
    """Which kind of model is to be used.

    `auto` goes on with what the index is made of; for a new index it is CLIP where its files are on this machine
    already, else the descriptor. So the index is made anew only where somebody says `clip` or `descriptor`.
    """
    if setting != "auto":
        return setting
    present = standing.building or standing.serving
    if present is not None:
        return "clip" if kind_of(present) == "clip" else "descriptor"
    return "clip" if clip_at_hand else "descriptor"


def open_model(settings: SearchFields, home: Path, standing: Models) -> EmbeddingModel:
    """The model to embed with; `ModelMissing` where this machine can't have it."""
    from unde_catalog.stages.visual_index import clip, descriptor  # which import this module

    if choose(settings.embedding_model, standing, clip.at_hand(settings.clip_model_dir, home)) == "descriptor":
        return descriptor.Descriptor()
    return clip.load(settings.clip_model_dir, home, may_fetch=settings.embedding_model == "clip")


def picture(data: bytes, max_pixels: int = DEFAULT_LIMITS.max_pixels) -> Image.Image | Refused:
    """A photo as models look at it: upright sRGB "RGB", a JPEG decoded at a smaller scale; or why it can't be used."""
    try:
        with open_photo(data, max_pixels) as photo:
            photo.draft("RGB", (_ENOUGH, _ENOUGH))
            return decode_upright(photo, data)
    except Unusable as unusable:
        return unusable.refused
