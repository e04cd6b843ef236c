"""Apify's API v2 as far as the clients use it: routes, parameters and status codes.

JSON bodies belong in `payloads.py`, runs in `runs.py`, items in `items.py`.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.apify import payloads
from unde_catalog.sandbox.apify.items import ItemSource
from unde_catalog.sandbox.apify.runs import Run, RunStore
from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS, brand_of_task
from unde_catalog.sandbox.request_log import KIND

MAX_WAIT_SECONDS = 60.0
MAX_ITEMS = 250_000
MAX_RUNS = 1000
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class ApifyApi:
    """The routes below `/v2`."""

    store: RunStore
    source: ItemSource
    faults: Faults
    token: str = DEFAULT_CREDENTIALS.apify

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes; a route's kind is its name in the request log and in fault rules."""
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
            if not self._authorized(request):
                return _error(401, "user-or-token-not-found", "User was not found or authentication token is not valid")
            return await self.faults.around(kind, request, inner)

        return handle

    def _authorized(self, request: web.Request) -> bool:
        header = request.headers.get("Authorization", "")
        return header == f"Bearer {self.token}" or request.query.get("token") == self.token

    async def _start(self, request: web.Request) -> web.Response:
        brand = self._brand(request)
        body = await request.read()
        try:
            json.loads(body or b"{}")
        except ValueError:
            return _error(400, "invalid-request", "The request body is not valid JSON")
        run = self.store.start(
            brand,
            ending=self.faults.run_ending(request.path),
            user_agent=request.headers.get("User-Agent", ""),
            client_ip=request.remote or "",
            body_bytes=len(body),
        )
        overrides = self.store.overrides_of(brand)
        if overrides.lose_start_answers and request.transport is not None:
            overrides.lose_start_answers -= 1
            request.transport.abort()
        return web.json_response(self._run_body(run), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        desc, offset, limit = _page_parameters(request, MAX_RUNS)
        runs = self._task_runs(request)
        if desc:
            runs.reverse()
        page = [payloads.run_in_list(self._run_body(run)["data"]) for run in runs[offset : offset + limit]]
        return web.json_response(payloads.page(page, len(runs), offset, limit, desc))

    async def _last(self, request: web.Request) -> web.Response:
        return await self._wait_for_end(request, self._last_run(request))

    async def _run(self, request: web.Request) -> web.Response:
        return await self._wait_for_end(request, self._find_run(request))

    async def _abort(self, request: web.Request) -> web.Response:
        run = self._find_run(request)
        self.store.abort(run)
        return web.json_response(self._run_body(run))

    async def _task(self, request: web.Request) -> web.Response:
        brand = self._brand(request)
        return web.json_response({"data": payloads.task(brand, len(self.store.of_brand(brand)))})

    async def _dataset(self, request: web.Request) -> web.Response:
        run = self._dataset_run(request)
        count_lags = not self.store.overrides_of(run.brand).late_items  # otherwise the items lag, and so does the count
        dataset = payloads.dataset(run, self.store.clock(), self._count(run), count_lags=count_lags)
        return web.json_response({"data": dataset})

    async def _items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._dataset_run(request))

    async def _run_items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._find_run(request))

    async def _last_items(self, request: web.Request) -> web.Response:
        return self._item_page(request, self._last_run(request))

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"data": payloads.user()})

    async def _unknown(self, request: web.Request) -> web.Response:
        return _error(404, "page-not-found", f"There is no {request.path}")

    def _item_page(self, request: web.Request, run: Run) -> web.Response:
        """Returns a JSON array of at most `limit` items, each exactly as its source has it."""
        if request.query.get("format", "json") != "json":
            return _error(400, "invalid-parameter", "The sandbox supports only format=json")
        desc, offset, limit = _page_parameters(request, MAX_ITEMS)
        if self.store.overrides_of(run.brand).pages == "repeat":
            offset = 0
        total = self._count(run)
        self.store.item_requests[run.id] += 1
        first, last = min(offset, total), min(offset + limit, total)
        if desc:
            first, last = total - last, total - first
        base_url = f"{request.scheme}://{request.host}"
        page = self.source.texts(run.brand, base_url, run.changes, first, last)
        if desc:
            page.reverse()
        response = web.Response(
            text="[" + ",\n".join(page) + "]",
            content_type="application/json",
            charset="utf-8",
            headers={
                "X-Apify-Pagination-Total": str(total),
                "X-Apify-Pagination-Offset": str(offset),
                "X-Apify-Pagination-Count": str(len(page)),
                "X-Apify-Pagination-Limit": str(limit),
                "X-Apify-Pagination-Desc": "true" if desc else "false",
            },
        )
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _wait_for_end(self, request: web.Request, run: Run) -> web.Response:
        """Responds when the run has ended, or after `waitForFinish` seconds, of which Apify allows at most 60."""
        seconds = min(_number(request, "waitForFinish", 0), MAX_WAIT_SECONDS)
        deadline = time.monotonic() + seconds
        while self.store.clock() < run.ends_at and time.monotonic() < deadline:
            if request.transport is None or request.transport.is_closing():
                break  # the client left
            await asyncio.sleep(_POLL_SECONDS)
        return web.json_response(self._run_body(run))

    def _run_body(self, run: Run) -> dict[str, Any]:
        return {"data": payloads.run(run, self.store.clock(), self._count(run))}

    def _count(self, run: Run) -> int:
        return round(self.source.count(run.brand, run.changes) * self.store.share_visible(run))

    def _task_runs(self, request: web.Request) -> list[Run]:
        """Returns the task's runs, oldest first; the parameter `status` filters them."""
        runs = self.store.of_brand(self._brand(request))
        statuses = {status for text in request.query.getall("status", []) for status in text.split(",") if status}
        now = self.store.clock()
        return [run for run in runs if not statuses or run.status(now) in statuses]

    def _last_run(self, request: web.Request) -> Run:
        runs = self._task_runs(request)
        return runs[-1] if runs else _raise_not_found("Actor run was not found")

    def _brand(self, request: web.Request) -> str:
        return brand_of_task(request.match_info["task"]) or _raise_not_found("Actor task was not found")

    def _find_run(self, request: web.Request) -> Run:
        return self.store.runs.get(request.match_info["run"]) or _raise_not_found("Actor run was not found")

    def _dataset_run(self, request: web.Request) -> Run:
        return self.store.by_dataset(request.match_info["dataset"]) or _raise_not_found("Dataset was not found")


def _page_parameters(request: web.Request, max_limit: int) -> tuple[bool, int, int]:
    """Returns desc, offset and limit; a limit of 0, or none, means `max_limit`."""
    desc = request.query.get("desc", "").lower() in ("1", "true")
    limit = _number(request, "limit", 0) or max_limit
    return desc, _number(request, "offset", 0), min(limit, max_limit)


def _number(request: web.Request, name: str, default: int) -> int:
    try:
        value = int(request.query.get(name) or default)
    except ValueError:
        value = -1
    if value < 0:
        body = json.dumps(payloads.error("invalid-parameter", f"{name} must be a whole number of at least 0"))
        raise web.HTTPBadRequest(text=body, content_type="application/json")
    return value


def _error(status: int, type_: str, message: str) -> web.Response:
    return web.json_response(payloads.error(type_, message), status=status)


def _raise_not_found(message: str) -> Any:
    body = json.dumps(payloads.error("record-not-found", message))
    raise web.HTTPNotFound(text=body, content_type="application/json")
