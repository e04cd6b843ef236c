"""The model that makes what is searched by: always the one that the index is made of, also while another one is built.

A model is opened once and kept. Which one that is says a row, which is read for each search that has to embed.
"""

import threading
from collections.abc import Callable

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.visual_index.model import EmbeddingModel, ModelMissing, kind_of, open_model
from unde_catalog.stores.staging.index.models import Models

_KEPT = 2  # while the index changes from one to the other


class ServingModel:
    """Models by name. Safe in several threads; one opens a model, the others wait for it."""

    def __init__(self, settings: Settings, opened: Callable[[str], EmbeddingModel] | None = None) -> None:
        self._settings = settings
        self._open = opened or self._open_kind
        self._models: dict[str, EmbeddingModel] = {}
        self._opening = threading.Lock()

    def named(self, model: str) -> EmbeddingModel:
        """The model of that name; `ModelMissing` where this machine has another version of it, or none."""
        found = self._models.get(model)
        if found is not None:
            return found
        with self._opening:
            found = self._models.get(model) or self._open(model)
            if found.name != model:
                raise ModelMissing(f"the index is made by {model}, and this machine has {found.name}")
            self._models[model] = found
            for old in list(self._models)[:-_KEPT]:
                del self._models[old]
        return found

    def _open_kind(self, model: str) -> EmbeddingModel:
        # With another kind set, that one is being built: this one is only read from where it lies.
        setting = self._settings.embedding_model
        settings = self._settings.model_copy(
            update={"embedding_model": setting if setting == kind_of(model) else "auto"}
        )
        return open_model(settings, self._settings.home, Models(serving=model))
