"""CLIP ViT-B/32 through fastembed: embeds photos and text as 512 comparable numbers.

fastembed is part of the extra `search`, and is imported where CLIP is used. The model's files are in `CLIP_MODEL_DIR`,
or are downloaded once. To run on a GPU, install fastembed-gpu instead of fastembed.
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
_ADVICE = f"put its files into a folder ({_LAYOUT}) and set CLIP_MODEL_DIR to it, or set EMBEDDING_MODEL=descriptor"


def is_available(folder: Path | None, home: Path) -> bool:
    """Whether CLIP's files are on this machine: in `folder`, or downloaded before."""
    return folder is not None or any(_cache(home).glob("models--*clip-ViT-B-32-vision*/snapshots/*/model.onnx"))


def load(folder: Path | None, home: Path, *, may_download: bool) -> "Clip":
    """CLIP from `folder` or from downloaded files, which `may_download` downloads now; raises `ModelMissing`."""
    try:
        from fastembed import ImageEmbedding
    except ImportError as error:
        raise ModelMissing(f"CLIP needs the extra search: pip install 'unde-catalog[search]' ({error})") from error
    options: dict[str, Any] = {"cache_dir": str(_cache(home)), "local_files_only": not may_download}
    if folder is not None:
        if not (folder / "vision" / "model.onnx").is_file():
            raise ModelMissing(f"CLIP_MODEL_DIR: {folder} has no vision/model.onnx; expected {_LAYOUT}")
        options = {"specific_model_path": str(folder / "vision")}
    try:
        vision = ImageEmbedding(_VISION, **options)
    except Exception as error:  # the errors of the hub, requests, ONNX Runtime and fastembed have no common base
        problem = "can't be downloaded" if may_download else "is not downloaded"
        problem = "can't be read" if folder is not None else problem
        raise ModelMissing(f"CLIP {problem} ({first_line(error)}): {_ADVICE}") from error
    return Clip(vision, folder, options)


class Clip:
    """CLIP as an `EmbeddingModel`. ONNX Runtime uses all cores for a batch, while another batch is prepared."""

    concurrency = 2
    batch = 16

    def __init__(self, vision: "ImageEmbedding", folder: Path | None, options: dict[str, Any]) -> None:
        self._vision, self._folder, self._options = vision, folder, options
        self._loading = threading.Lock()
        self.name = f"clip@{_digest(_files_of(vision))}"

    def embed_images(self, images: Sequence[Image.Image]) -> Numbers:
        """A row of 512 numbers of length 1 for each "RGB" image."""
        return _rows(list(self._vision.embed(list(images), batch_size=self.batch)))

    def embed_texts(self, texts: Sequence[str]) -> Numbers:
        """The same for texts; raises `TextUnsupported` if the model's text encoder is missing."""
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
            raise TextUnsupported(f"CLIP's text encoder can't be loaded ({first_line(error)}): {_ADVICE}") from error


def _rows(vectors: Sequence[Any]) -> Numbers:
    """The vectors as rows of length 1. fastembed normalizes embeddings of images, but not of texts."""
    rows = np.asarray(vectors, np.float32).reshape(len(vectors), -1)
    if rows.shape[1] != SIZE:
        raise ModelMissing(f"the model in CLIP_MODEL_DIR returns {rows.shape[1]} numbers, expected {SIZE}")
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _cache(home: Path) -> Path:
    return home / "models"


def _files_of(vision: "ImageEmbedding") -> list[Path]:
    folder = Path(vision.model._model_dir)  # type: ignore[attr-defined]  fastembed has no public name for it
    return [folder / "model.onnx", folder / "preprocessor_config.json"]


def _digest(files: Sequence[Path]) -> str:
    """The version of the model: a hash of its weights and of its preprocessing."""
    hashed = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashed.update(hashlib.file_digest(stream, "sha256").digest())
    return hashed.hexdigest()[:12]
