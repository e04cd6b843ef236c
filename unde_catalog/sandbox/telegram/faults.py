"""Faults that only Telegram has: refused file ids, and responses with missing or wrong fields.

Faults of all services belong in `fault_responses.py`, rules in `sandbox/faults.py`.
"""

import json
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.fault_responses import Fault, Handler
from unde_catalog.sandbox.telegram import payloads


def _error(description: str) -> Fault:
    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.json_response(payloads.error_body(400, description), status=400)

    return respond


def _changed_fields(**changes: Any) -> Fault:
    """Responds with fields of the file changed, or removed if the value is None."""

    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        assert isinstance(response, web.Response) and isinstance(response.body, bytes)
        body = json.loads(response.body)
        for name, value in changes.items():
            body["result"].pop(name, None)
            if value is not None:
                body["result"][name] = value
        return web.json_response(body, status=response.status)

    return respond


TELEGRAM_FAULTS: dict[str, Fault] = {
    "invalid-file-id": _error(payloads.INVALID_ID),
    "unavailable": _error(payloads.UNAVAILABLE),
    "file-too-big": _error(payloads.TOO_BIG),
    "no-path": _changed_fields(file_path=None),
    "no-size": _changed_fields(file_size=None),
    "wrong-size": _changed_fields(file_size=5),
    "no-unique-id": _changed_fields(file_unique_id=None),
    "odd-path": _changed_fields(file_path="photos/../../bot/file_1.jpg"),
}
