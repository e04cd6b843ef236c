"""The service as an AsyncAPI 3.0 document: channels, messages and their JSON Schemas, made from the message models.

`messages.py` defines the models, `subjects.py` the subjects.
"""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from unde_catalog.services.user_media.schemas import MESSAGES
from unde_catalog.services.user_media.subjects import BATCH_RESULT, ERROR, INFERENCE, INFERENCE_RESULT, QUEUES, TRAIN

_DESCRIPTION = (
    "Stores photos from Telegram in a private bucket. Every request gets a result, or a message on "
    f"{ERROR} if it failed as a whole. A result may arrive twice, with the same bytes and the same Nats-Msg-Id."
)
_CHANNELS = {
    TRAIN: "A batch of photos to store.",
    INFERENCE: "One photo to store quickly.",
    BATCH_RESULT: "The result of a batch, including the photos that failed.",
    INFERENCE_RESULT: "The result of a single photo that is stored.",
    ERROR: "A request that failed as a whole.",
}


def document() -> str:
    """The document as JSON."""
    received = {queue.subject for queue in QUEUES}
    _, schemas = models_json_schema(list(MESSAGES.values()), ref_template="#/components/schemas/{model}")
    names = {subject: model.__name__ for subject, (model, _) in MESSAGES.items()}
    found: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {"title": "Unde user media", "version": "1.0.0", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "localhost:4222", "protocol": "nats", "description": "NATS with JetStream"}},
        "channels": {
            subject: {
                "address": subject,
                "description": _CHANNELS[subject],
                "messages": {name: _ref("components", "messages", name)},
            }
            for subject, name in names.items()
        },
        "operations": {
            subject: {
                "action": "receive" if subject in received else "send",
                "channel": _ref("channels", subject),
                "messages": [_ref("channels", subject, "messages", name)],
            }
            for subject, name in names.items()
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "correlationId": {"location": "$message.header#/correlation_id"},
                    "payload": _ref("components", "schemas", name),
                }
                for name in names.values()
            },
            "schemas": schemas["$defs"],
        },
    }
    return json.dumps(found, indent=2)


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *path))}
