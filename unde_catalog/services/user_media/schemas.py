"""The messages as JSON Schema, for whoever sends and reads them: one file a message. The models are `messages.py`'s."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from unde_catalog.services.user_media.messages import (
    BatchResult,
    InferenceRequest,
    InferenceResult,
    TrainRequest,
    UploadError,
)
from unde_catalog.services.user_media.subjects import BATCH_RESULT, ERROR, INFERENCE, INFERENCE_RESULT, TRAIN

FOLDER = Path(__file__).parent / "schemas"  # the committed copy
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_Mode = Literal["validation", "serialization"]

# subject -> its messages; those that are accepted are described as what to send, the others as what comes
MESSAGES: dict[str, tuple[type[BaseModel], _Mode]] = {
    TRAIN: (TrainRequest, "validation"),
    INFERENCE: (InferenceRequest, "validation"),
    BATCH_RESULT: (BatchResult, "serialization"),
    INFERENCE_RESULT: (InferenceResult, "serialization"),
    ERROR: (UploadError, "serialization"),
}


def schemas() -> dict[str, dict[str, Any]]:
    """A schema for each subject."""
    return {
        subject: {"$schema": _DRAFT, "$id": f"{subject}.json", **model.model_json_schema(mode=mode)}
        for subject, (model, mode) in MESSAGES.items()
    }


def write(folder: Path) -> list[Path]:
    """Write them as `<subject>.json`; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for subject, schema in schemas().items():
        file = folder / f"{subject}.json"
        file.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        files.append(file)
    return files
