"""CLIP ViT-B/32 through fastembed: photos and words as 512 numbers that can be compared (specs 3 and 6).

fastembed comes with the extra `search`, and is imported where CLIP is used. Its files are in a folder that is set, or
are fetched once; on a GPU it runs where fastembed-gpu is installed in fastembed's place.
"""

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unde_catalog.stages.visual_index.model import ModelMissing, Numbers, TextUnsupported
from unde_catalog.text import first_line

if TYPE_CHECKING:
    from fastembed import ImageEmbedding, TextEmbedding

SIZE = 512
_VISION, _TEXT = "Qdrant/clip-ViT-B-32-vision", "Qdrant/clip-ViT-B-32-text"
_LAYOUT = (
    "vision/ with model.onnx and preprocessor_config.json, and text/ with model.onnx, tokenizer.json and "
    "tokenizer_config.json"
)
_OTHERWISE = f"put its files into a folder ({_LAYOUT}) and set CLIP_MODEL_DIR to it, or set EMBEDDING_MODEL=descriptor"


def is_available(folder: Path | None, home: Path) -> bool:
    """Whether CLIP's files are on this machine: in a folder that is set, or fetched before."""
    return folder is not None or any(_cache(home).glob("models--*clip-ViT-B-32-vision*/snapshots/*/model.onnx"))


def load(folder: Path | None, home: Path, *, may_download: bool) -> "Clip":
    """CLIP from `folder`, else from what was fetched, fetched now if it `may`; `ModelMissing` where that fails."""
    try:
        from fastembed import ImageEmbedding
    except ImportError as error:
        raise ModelMissing(f"CLIP needs the extra search: pip install 'unde-catalog[search]' ({error})") from error
    options: dict[str, Any] = {"cache_dir": str(_cache(home)), "local_files_only": not may_download}
    if folder is not None:
        if not (folder / "vision" / "model.onnx").is_file():
            raise ModelMissing(f"CLIP_MODEL_DIR: {folder} has no vision/model.onnx: it wants {_LAYOUT}")
        options = {"specific_model_path": str(folder / "vision")}
    try:
        vision = ImageEmbedding(_VISION, **options)
    except Exception as error:  # the hub's, requests', ONNX Runtime's and fastembed's own have nothing in common
        where = "can't be read" if folder is not None else "can't be fetched" if may_download else "was not fetched yet"
        raise ModelMissing(f"CLIP {where} ({first_line(error)}): {_OTHERWISE}") from error
    return Clip(vision, folder, options)


class Clip:
    """CLIP as an `EmbeddingModel`. ONNX Runtime uses all cores for a batch; meanwhile another one is prepared."""

    concurrency = 2
    batch = 16

    def __init__(self, vision: "ImageEmbedding", folder: Path | None, options: dict[str, Any]) -> None:
        self._vision, self._folder, self._options = vision, folder, options
        self._loading = threading.Lock()
        self.name = f"clip@{_digest(_files_of(vision))}"

    def embed_images(self, images: Sequence[Image.Image]) -> Numbers:
        """A row of 512 numbers of length 1 for each "RGB" image."""
        return _rows(list(self._vision.embed(list(images), batch_size=self.batch)))

    def embed_words(self, texts: Sequence[str]) -> Numbers:
        """The same for texts; `TextUnsupported` where the text half of the model is missing."""
        with self._loading:
            text = self._text
        return _rows(list(text.embed(list(texts))))

    @cached_property
    def _text(self) -> "TextEmbedding":
        from fastembed import TextEmbedding

        options = dict(self._options)
        if self._folder is not None:
            options["specific_model_path"] = str(self._folder / "text")
        try:
            return TextEmbedding(_TEXT, **options)
        except Exception as error:  # as above
            raise TextUnsupported(f"CLIP's text half can't be had ({first_line(error)}): {_OTHERWISE}") from error


def _rows(vectors: Sequence[Any]) -> Numbers:
    """Of length 1, which those of texts are not yet (spec 6)."""
    rows = np.asarray(vectors, np.float32).reshape(len(vectors), -1)
    if rows.shape[1] != SIZE:
        raise ModelMissing(f"the model in CLIP_MODEL_DIR makes {rows.shape[1]} numbers, CLIP ViT-B/32 makes {SIZE}")
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _cache(home: Path) -> Path:
    return home / "models"


def _files_of(vision: "ImageEmbedding") -> list[Path]:
    folder = Path(vision.model._model_dir)  # type: ignore[attr-defined]  fastembed has no public name for it
    return [folder / "model.onnx", folder / "preprocessor_config.json"]


def _digest(files: Sequence[Path]) -> str:
    """What tells this model from any other: another file, or another way to prepare photos, is another version."""
    hashed = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashed.update(hashlib.file_digest(stream, "sha256").digest())
    return hashed.hexdigest()[:12]
