"""Apify's API v2 as far as our clients need it (spec 6), on top of `runs.py` and `items.py`.

What its JSON looks like is `payloads.py`; only routes, parameters and status codes are here.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.apify import payloads as shapes
from unde_catalog.sandbox.apify.items import ItemSource
from unde_catalog.sandbox.apify.runs import Run, RunStore
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import TOKEN, brand_of_task
from unde_catalog.sandbox.request_log import KIND

LONGEST_WAIT_SECONDS = 60.0
MOST_ITEMS = 250_000
MOST_RUNS = 1000
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class ApifyApi:
    """The routes below `/v2`."""

    store: RunStore
    source: ItemSource
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """Every route; the kind is how the request log and the faults call it."""
        task, run, dataset = "/v2/actor-tasks/{task}", "/v2/actor-runs/{run}", "/v2/datasets/{dataset}"
        return [
            web.post(f"{task}/runs", self._handler("apify.start", self._start)),
            web.get(f"{task}/runs", self._handler("apify.runs", self._list)),
            web.get(f"{task}/runs/last", self._handler("apify.last", self._last)),
            web.get(f"{task}/runs/last/dataset/items", self._handler("apify.items", self._last_items)),
            web.get(task, self._handler("apify.task", self._task)),
            web.get(run, self._handler("apify.run", self._run)),
            web.get(f"{run}/dataset/items", self._handler("apify.items", self._run_items)),
            web.post(f"{run}/abort", self._handler("apify.abort", self._abort)),
            web.get(dataset, self._handler("apify.dataset", self._dataset)),
            web.get(f"{dataset}/items", self._handler("apify.items", self._items)),
            web.get("/v2/users/me", self._handler("apify.user", self._user)),
            web.route("*", "/v2/{rest:.*}", self._handler("apify.other", self._unknown)),
        ]

    def _handler(self, kind: str, inner: Any) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = kind
            if not _authorized(request):
                return _problem(
                    401, "user-or-token-not-found", "User was not found or authentication token is not valid"
                )
            return await self.faults.around(kind, request, inner)

        return handle

    async def _start(self, request: web.Request) -> web.Response:
        brand = self._brand(request)
        body = await request.read()
        try:
            json.loads(body or b"{}")
        except ValueError:
            return _problem(400, "invalid-request", "The request body is not valid JSON")
        run = self.store.start(
            brand,
            ending=self.faults.run_ending(request.path),
            user_agent=request.headers.get("User-Agent", ""),
            client_ip=request.remote or "",
            body_bytes=len(body),
        )
        trouble = self.store.trouble_of(brand)
        if trouble.lose_start_answers and request.transport is not None:
            trouble.lose_start_answers -= 1
            request.transport.abort()
        return web.json_response(self._shown(run), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        desc, offset, limit = _page(request, MOST_RUNS)
        runs = self._matching(request)
        if desc:
            runs.reverse()
        chosen = [shapes.run_in_list(self._full(run)) for run in runs[offset : offset + limit]]
        return web.json_response(shapes.page(chosen, len(runs), offset, limit, desc))

    async def _last(self, request: web.Request) -> web.Response:
        return web.json_response(await self._waited(request, self._last_run(request)))

    async def _run(self, request: web.Request) -> web.Response:
        return web.json_response(await self._waited(request, self._found(request)))

    async def _abort(self, request: web.Request) -> web.Response:
        run = self._found(request)
        self.store.abort(run)
        return web.json_response(self._shown(run))

    async def _task(self, request: web.Request) -> web.Response:
        brand = self._brand(request)
        return web.json_response({"data": shapes.task(brand, len(self.store.of_brand(brand)))})

    async def _dataset(self, request: web.Request) -> web.Response:
        run = self._dataset_run(request)
        count_lags = not self.store.trouble_of(run.brand).late_items  # else the items do, and the count with them
        shown = shapes.dataset(run, self.store.clock(), self._count(run), count_lags=count_lags)
        return web.json_response({"data": shown})

    async def _items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._dataset_run(request))

    async def _run_items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._found(request))

    async def _last_items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._last_run(request))

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"data": shapes.user()})

    async def _unknown(self, request: web.Request) -> web.Response:
        return _problem(404, "page-not-found", f"There is no {request.path}")

    def _item_page(self, request: web.Request, run: Run) -> web.Response:
        """A bare JSON array of at most `limit` items, each as its source has it."""
        if request.query.get("format", "json") != "json":
            return _problem(400, "invalid-parameter", "The sandbox speaks format=json only")
        desc, offset, limit = _page(request, MOST_ITEMS)
        if self.store.trouble_of(run.brand).pages == "repeat":
            offset = 0
        total = self._count(run)
        self.store.looks[run.id] += 1
        first, last = min(offset, total), min(offset + limit, total)
        if desc:
            first, last = total - last, total - first
        base_url = f"{request.scheme}://{request.host}"
        chosen = self.source.texts(run.brand, base_url, run.changes, first, last)
        if desc:
            chosen.reverse()
        answer = web.Response(
            text="[" + ",\n".join(chosen) + "]",
            content_type="application/json",
            charset="utf-8",
            headers={
                "X-Apify-Pagination-Total": str(total),
                "X-Apify-Pagination-Offset": str(offset),
                "X-Apify-Pagination-Count": str(len(chosen)),
                "X-Apify-Pagination-Limit": str(limit),
                "X-Apify-Pagination-Desc": "true" if desc else "false",
            },
        )
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async def _waited(self, request: web.Request, run: Run) -> dict[str, Any]:
        """Holds the answer until the run has ended, at most `waitForFinish` seconds and never over 60."""
        seconds = min(_number(request, "waitForFinish", 0), LONGEST_WAIT_SECONDS)
        deadline = time.monotonic() + seconds
        while self.store.clock() < run.ends_at and time.monotonic() < deadline:
            if request.transport is None or request.transport.is_closing():
                break  # nobody waits any more
            await asyncio.sleep(_POLL_SECONDS)
        return self._shown(run)

    def _full(self, run: Run) -> dict[str, Any]:
        return shapes.run(run, self.store.clock(), self._count(run))

    def _count(self, run: Run) -> int:
        return round(self.source.count(run.brand, run.changes) * self.store.share_shown(run))

    def _shown(self, run: Run) -> dict[str, Any]:
        return {"data": self._full(run)}

    def _matching(self, request: web.Request) -> list[Run]:
        """The task's runs, oldest first, of the statuses asked for."""
        runs = self.store.of_brand(self._brand(request))
        wanted = {status for text in request.query.getall("status", []) for status in text.split(",") if status}
        now = self.store.clock()
        return [run for run in runs if not wanted or run.status(now) in wanted]

    def _last_run(self, request: web.Request) -> Run:
        runs = self._matching(request)
        return runs[-1] if runs else _missing("Actor run was not found")

    def _brand(self, request: web.Request) -> str:
        return brand_of_task(request.match_info["task"]) or _missing("Actor task was not found")

    def _found(self, request: web.Request) -> Run:
        return self.store.runs.get(request.match_info["run"]) or _missing("Actor run was not found")

    def _dataset_run(self, request: web.Request) -> Run:
        return self.store.by_dataset(request.match_info["dataset"]) or _missing("Dataset was not found")


def _authorized(request: web.Request) -> bool:
    header = request.headers.get("Authorization", "")
    return header == f"Bearer {TOKEN}" or request.query.get("token") == TOKEN


def _page(request: web.Request, most: int) -> tuple[bool, int, int]:
    """desc, offset and limit; limit 0 or none at all means all."""
    desc = request.query.get("desc", "").lower() in ("1", "true")
    limit = int(_number(request, "limit", 0)) or most
    return desc, int(_number(request, "offset", 0)), min(limit, most)


def _number(request: web.Request, name: str, default: int) -> float:
    try:
        value = int(request.query.get(name) or default)
    except ValueError:
        value = -1
    if value < 0:
        body = json.dumps(shapes.error("invalid-parameter", f"{name} is not a number of at least 0"))
        raise web.HTTPBadRequest(text=body, content_type="application/json")
    return value


def _problem(status: int, type_: str, message: str) -> web.Response:
    return web.json_response(shapes.error(type_, message), status=status)


def _missing(message: str) -> Any:
    body = json.dumps(shapes.error("record-not-found", message))
    raise web.HTTPNotFound(text=body, content_type="application/json")
