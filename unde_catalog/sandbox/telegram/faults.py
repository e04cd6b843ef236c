"""What goes wrong only at Telegram: refusals of a file id, and answers that lack something or lie.

Statuses, cut bodies and the like are everybody's (`fault_answers.py`); which request gets which is `faults.py`'s.
"""

import json
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.fault_answers import Fault, Handler
from unde_catalog.sandbox.telegram import payloads as shapes


def _refused(description: str) -> Fault:
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.json_response(shapes.error(400, description), status=400)

    return answer


def _altered(**changes: Any) -> Fault:
    """Answers with a field of the file changed, or (None) missing."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        whole = await handler(request)
        assert isinstance(whole, web.Response) and isinstance(whole.body, bytes)
        said = json.loads(whole.body)
        for name, value in changes.items():
            said["result"].pop(name, None)
            if value is not None:
                said["result"][name] = value
        return web.json_response(said, status=whole.status)

    return answer


FAULTS: dict[str, Fault] = {
    "invalid-file-id": _refused(shapes.WRONG_ID),
    "unavailable": _refused(shapes.UNAVAILABLE),
    "file-too-big": _refused(shapes.TOO_BIG),
    "no-path": _altered(file_path=None),
    "no-size": _altered(file_size=None),
    "wrong-size": _altered(file_size=5),
    "no-unique-id": _altered(file_unique_id=None),
    "odd-path": _altered(file_path="photos/../../bot/file_1.jpg"),
}
