"""Telegram's Bot API as far as the client uses it: getMe, getFile, and the files.

JSON bodies belong in `payloads.py`, files in `photos.py`, Telegram's own faults in `faults.py`. Fault rules go by file
id, not by path. Entries in the request log also have `file_id`, and never the token.
"""

import asyncio
import hmac
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS, TELEGRAM_BOT_ID
from unde_catalog.sandbox.request_log import DETAILS, KIND
from unde_catalog.sandbox.telegram import payloads, photos

_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_MAX_PATHS = 100_000  # kept; Telegram guarantees a path for an hour
_MAX_BYTES = 20 * 1024 * 1024


@dataclass(slots=True)
class TelegramApi:
    """The routes of the API; photos are drawn in `pool`."""

    faults: Faults
    pool: ThreadPoolExecutor
    token: str = DEFAULT_CREDENTIALS.telegram
    _ids: OrderedDict[str, str] = field(default_factory=OrderedDict, init=False)  # path -> file id
    _paths: dict[str, str] = field(default_factory=dict, init=False)  # file id -> path
    _last: int = field(default=0, init=False)

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes; a route's kind is its name in the request log and in fault rules."""
        return [
            web.route("*", "/bot{token:[^/]*}/{method}", self._method),
            web.get("/file/bot{token:[^/]*}/{path:.*}", self._file),
        ]

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"].lower()
        request[KIND] = {"getfile": "telegram.getFile", "getme": "telegram.getMe"}.get(method, "telegram.other")
        if error := self._unauthorized(request):
            return error
        if method == "getme":
            return await self.faults.around("telegram.getMe", request, self._me)
        if method != "getfile":
            return web.json_response(payloads.error_body(404), status=404)
        file_id = await _file_id_parameter(request)
        request[DETAILS] = {"file_id": file_id}

        async def respond(_: web.Request) -> web.StreamResponse:
            return await self._get_file(file_id)

        return await self.faults.around("telegram.getFile", request, respond, file_id)

    async def _me(self, request: web.Request) -> web.Response:
        return web.json_response(payloads.result_body(payloads.user(TELEGRAM_BOT_ID)))

    async def _get_file(self, file_id: str) -> web.Response:
        if not _FILE_ID.fullmatch(file_id):
            return web.json_response(payloads.error_body(400, payloads.INVALID_ID), status=400)
        file = await self._read_file(file_id)
        if len(file.data) > _MAX_BYTES:
            return web.json_response(payloads.error_body(400, payloads.TOO_BIG), status=400)
        result = payloads.file(file_id, file.unique_id, len(file.data), self._path(file_id, file))
        return web.json_response(payloads.result_body(result))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "telegram.file"
        if error := self._unauthorized(request):
            return error
        file_id = self._ids.get(request.match_info["path"])
        if file_id is None:
            return web.json_response(payloads.error_body(404), status=404)
        request[DETAILS] = {"file_id": file_id}

        async def respond(_: web.Request) -> web.StreamResponse:
            file = await self._read_file(file_id)
            # Telegram sends this type for nearly everything, so a client must not trust it.
            return web.Response(body=file.data, content_type="application/octet-stream")

        return await self.faults.around("telegram.file", request, respond, file_id)

    async def _read_file(self, file_id: str) -> photos.SentFile:
        return await asyncio.get_running_loop().run_in_executor(self.pool, photos.sent_file, file_id)

    def _path(self, file_id: str, file: photos.SentFile) -> str:
        """Returns the file's path, the same one while it is kept."""
        if file_id not in self._paths:
            self._last += 1
            self._paths[file_id] = f"{file.folder}/file_{self._last}.{file.extension}"
            self._ids[self._paths[file_id]] = file_id
            if len(self._ids) > _MAX_PATHS:
                del self._paths[self._ids.popitem(last=False)[1]]
        return self._paths[file_id]

    def _unauthorized(self, request: web.Request) -> web.Response | None:
        """Returns the error response for a wrong token, or None."""
        if hmac.compare_digest(request.match_info["token"].encode(), self.token.encode()):
            return None
        code = 401 if re.fullmatch(r"\d+:[\w-]+", request.match_info["token"], re.ASCII) else 404
        return web.json_response(payloads.error_body(code), status=code)


async def _file_id_parameter(request: web.Request) -> str:
    """Returns the parameter `file_id` from the query, a form or JSON, as Telegram does."""
    value: object = request.query.get("file_id")
    if value is None and request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            body = None
        value = body.get("file_id") if isinstance(body, dict) else None
    elif value is None:
        value = (await request.post()).get("file_id")
    return value if isinstance(value, str) else ""
