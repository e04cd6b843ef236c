"""Telegram's Bot API as far as our client needs it (spec 6): getMe, getFile, and the files.

What its JSON looks like is `payloads.py`, what a file holds `photos.py`, what only goes wrong here
`faults.py`. A fault strikes file ids, not paths. Lines in the request log also hold `file_id`, and no token.
"""

import asyncio
import hmac
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import TELEGRAM_TOKEN
from unde_catalog.sandbox.request_log import KIND, NOTED
from unde_catalog.sandbox.telegram import payloads as shapes
from unde_catalog.sandbox.telegram import photos

_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_MOST_PATHS = 100_000  # that are remembered; a path holds for an hour at the real one
_MOST_BYTES = 20_000_000


@dataclass(slots=True)
class TelegramApi:
    """The routes of the API; `pool` is where photos are drawn."""

    faults: Faults
    pool: ThreadPoolExecutor
    _ids: OrderedDict[str, str] = field(default_factory=OrderedDict, init=False)  # path -> file id
    _paths: dict[str, str] = field(default_factory=dict, init=False)  # file id -> path
    _last: int = field(default=0, init=False)

    def routes(self) -> list[web.RouteDef]:
        """Every route; the kind is how the request log and the faults call it."""
        return [
            web.route("*", "/bot{token:[^/]*}/{method}", self._method),
            web.get("/file/bot{token:[^/]*}/{path:.*}", self._file),
        ]

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"].lower()
        request[KIND] = {"getfile": "telegram.getFile", "getme": "telegram.getMe"}.get(method, "telegram.other")
        if refused := _refusal(request):
            return refused
        if method == "getme":
            return await self.faults.around("telegram.getMe", request, self._me)
        if method != "getfile":
            return web.json_response(shapes.error(404), status=404)
        file_id = await _asked_for(request)
        request[NOTED] = {"file_id": file_id}

        async def answer(_: web.Request) -> web.StreamResponse:
            return await self._get_file(file_id)

        return await self.faults.around("telegram.getFile", request, answer, file_id)

    async def _me(self, request: web.Request) -> web.Response:
        return web.json_response(shapes.result(shapes.me(int(TELEGRAM_TOKEN.partition(":")[0]))))

    async def _get_file(self, file_id: str) -> web.Response:
        if not _FILE_ID.fullmatch(file_id):
            return web.json_response(shapes.error(400, shapes.WRONG_ID), status=400)
        sent = await self._sent(file_id)
        if len(sent.data) > _MOST_BYTES:
            return web.json_response(shapes.error(400, shapes.TOO_BIG), status=400)
        path = self._path(file_id, sent)
        return web.json_response(shapes.result(shapes.file(file_id, sent.unique_id, len(sent.data), path)))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        request[KIND] = "telegram.file"
        if refused := _refusal(request):
            return refused
        file_id = self._ids.get(request.match_info["path"])
        if file_id is None:
            return web.json_response(shapes.error(404), status=404)
        request[NOTED] = {"file_id": file_id}

        async def answer(_: web.Request) -> web.StreamResponse:
            sent = await self._sent(file_id)
            # Real ones call nearly all of it so; who believes the type is mistaken.
            return web.Response(body=sent.data, content_type="application/octet-stream")

        return await self.faults.around("telegram.file", request, answer, file_id)

    async def _sent(self, file_id: str) -> photos.Sent:
        return await asyncio.get_running_loop().run_in_executor(self.pool, photos.sent, file_id)

    def _path(self, file_id: str, sent: photos.Sent) -> str:
        """The file's path, the same for as long as it is remembered."""
        if file_id not in self._paths:
            self._last += 1
            self._paths[file_id] = f"{sent.folder}/file_{self._last}.{sent.extension}"
            self._ids[self._paths[file_id]] = file_id
            if len(self._ids) > _MOST_PATHS:
                del self._paths[self._ids.popitem(last=False)[1]]
        return self._paths[file_id]


def _refusal(request: web.Request) -> web.Response | None:
    """Why this request gets no further than the gate."""
    if hmac.compare_digest(request.match_info["token"].encode(), TELEGRAM_TOKEN.encode()):
        return None
    code = 401 if re.fullmatch(r"\d+:[\w-]+", request.match_info["token"], re.ASCII) else 404
    return web.json_response(shapes.error(code), status=code)


async def _asked_for(request: web.Request) -> str:
    """The parameter `file_id`, wherever it stands: Telegram takes a query, a form and JSON."""
    found: object = request.query.get("file_id")
    if found is None and request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            body = None
        found = body.get("file_id") if isinstance(body, dict) else None
    elif found is None:
        found = (await request.post()).get("file_id")
    return found if isinstance(found, str) else ""
