"""Which embedding model is used, and its loading.

The interface of a model is in `model.py`.
"""

from pathlib import Path

from unde_catalog.settings.search import EmbeddingChoice, SearchFields
from unde_catalog.stages.visual_index import clip
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.model import EmbeddingModel, Kind, kind_of
from unde_catalog.stores.staging.index.models import Models


def choose(setting: EmbeddingChoice, models: Models, clip_available: bool) -> Kind:
    """The kind of model to use.

    `auto` keeps the kind that the index is made with. A new index uses CLIP if its files are on this machine, else the
    descriptor. So only the settings `clip` and `descriptor` can cause the index to be built again.
    """
    if setting != "auto":
        return setting
    present = models.building or models.serving
    if present is not None:
        return "clip" if kind_of(present) == "clip" else "descriptor"
    return "clip" if clip_available else "descriptor"


def open_model(settings: SearchFields, home: Path, models: Models) -> EmbeddingModel:
    """The model to embed with; `ModelMissing` if it can't be loaded on this machine."""
    if choose(settings.embedding_model, models, clip.is_available(settings.clip_model_dir, home)) == "descriptor":
        return Descriptor()
    return clip.load(settings.clip_model_dir, home, may_download=settings.embedding_model == "clip")
