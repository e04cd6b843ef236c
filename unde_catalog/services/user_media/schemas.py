"""The messages as JSON Schema, one file per message, for the systems that send and read them.

`messages.py` defines the models; after a change there, `unde-catalog user-media schema --out` writes the files again.
"""

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

# subject -> its message; requests are described as what to send, results as what to expect
MESSAGES: dict[str, tuple[type[BaseModel], _Mode]] = {
    TRAIN: (TrainRequest, "validation"),
    INFERENCE: (InferenceRequest, "validation"),
    BATCH_RESULT: (BatchResult, "serialization"),
    INFERENCE_RESULT: (InferenceResult, "serialization"),
    ERROR: (UploadError, "serialization"),
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each subject."""
    return {
        subject: {"$schema": _DRAFT, "$id": f"{subject}.json", **model.model_json_schema(mode=mode)}
        for subject, (model, mode) in MESSAGES.items()
    }


def write(folder: Path) -> list[Path]:
    """Write the schemas as `<subject>.json` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for subject, schema in schemas().items():
        file = folder / f"{subject}.json"
        file.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        files.append(file)
    return files
