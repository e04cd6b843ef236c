"""Loads the embedding model that the index uses, also while the index is being rebuilt with another one.

`embedding_models` says which model that is. The model itself is in `stages/visual_index/model.py`.
"""

import threading
from collections.abc import Callable

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.visual_index.model import EmbeddingModel, ModelMissing, kind_of
from unde_catalog.stages.visual_index.open_model import open_model
from unde_catalog.stores.staging.index.models import Models

_MAX_LOADED = 2  # the old and the new model, while the index switches


class ServingModel:
    """Loaded models by name. Thread-safe: one thread loads a model, the others wait for it."""

    def __init__(self, settings: Settings, load: Callable[[str], EmbeddingModel] | None = None) -> None:
        self._settings = settings
        self._load = load or self._load_kind
        self._models: dict[str, EmbeddingModel] = {}
        self._load_lock = threading.Lock()

    def get(self, name: str) -> EmbeddingModel:
        """The model of that name. Raises `ModelMissing` if this machine has another version of it, or none."""
        model = self._models.get(name)
        if model is not None:
            return model
        with self._load_lock:
            model = self._models.get(name) or self._load(name)
            if model.name != name:
                raise ModelMissing(f"the index uses {name}, and this machine has {model.name}")
            self._models[name] = model
            for oldest in list(self._models)[:-_MAX_LOADED]:
                del self._models[oldest]
        return model

    def _load_kind(self, name: str) -> EmbeddingModel:
        # If another kind is configured, the index is being rebuilt with it: load this one without downloading it.
        setting = self._settings.embedding_model
        settings = self._settings.model_copy(
            update={"embedding_model": setting if setting == kind_of(name) else "auto"}
        )
        return open_model(settings, self._settings.home, Models(serving=name))
