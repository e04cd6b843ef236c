"""Access control: API keys, rate limits and body limits, checked before the body is read.

Keys are in `api_keys.py`, token buckets in `rate_limits.py` and `shared_limits.py`. `uploads.py` checks the photos.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unde_catalog.services.search.context import Context
from unde_catalog.services.search.middleware import api_keys as keys
from unde_catalog.services.search.middleware.rate_limits import address_bucket
from unde_catalog.services.search.middleware.shared_limits import SharedLimiter, open_buckets
from unde_catalog.services.search.schemas import problems
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stores.staging.admin import api_keys

_API = "/api/"
_UNRESTRICTED = ("/api/v1/health",)  # monitoring must work under load and without a key
_SIGNED = "/api/v1/webhooks/"  # authenticated by a signature instead of a key
_UPLOAD = "/api/v1/search/by-image"
_FORM_BYTES = 64_000  # of an upload's form, beside the photo
_MAX_BODY = 1_000_000  # bytes, of any other request
_MAX_REQUESTS = 200  # in progress at a time
_BODY_TIMEOUT = 60  # seconds for the whole body, so that a slow sender does not occupy a slot for longer

_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_WRONG_KEY = Problem(401, "wrong_key", "This API key is unknown or revoked.", _CHALLENGE)
_NO_KEY = Problem(401, "key_needed", "This request needs an API key: Authorization: Bearer <key>.", _CHALLENGE)
_NO_WRITE_KEY = Problem(403, "write_key_needed", "This API key is read-only. This request needs a key that can write.")
_BUSY = Problem(503, "busy", "The server is busy. Try again in a second.", {"Retry-After": "1"})


class AccessMiddleware:
    """Admits or rejects requests. Puts the key's name and scope into `scope["state"]` as `key` and `key_scope`."""

    def __init__(self, app: ASGIApp, context: Context, now: Callable[[], float] = monotonic) -> None:
        settings = context.settings
        self._app, self._context, self._now = app, context, now
        buckets = open_buckets(settings)
        self._by_address = SharedLimiter("address", settings.search_rate_per_minute, buckets)
        self._by_key = SharedLimiter("key", settings.search_key_rate_per_minute, buckets)
        self._wrong_keys = SharedLimiter("wrong_keys", settings.search_rate_per_minute, buckets)
        self._needs_key = settings.search_needs_key
        self._in_progress = 0
        self._max_upload = settings.search_photo_max_bytes + _FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._in_progress += 1
        try:
            await self._handle(scope, receive, send)
        finally:
            self._in_progress -= 1

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            unrestricted = scope["path"] in _UNRESTRICTED
            if self._in_progress > _MAX_REQUESTS and not unrestricted:
                raise _BUSY
            if scope["path"].startswith(_API) and not unrestricted:
                await self._authorize(scope)
            max_body = self._max_upload if scope["path"] == _UPLOAD else _MAX_BODY
            _check_length(scope, max_body)
        except Exception as error:
            problem = problems.from_error(error)
            if problem is None:
                raise
            if not isinstance(error, Problem):
                scope["state"]["error"] = error
            await problems.to_response(problem, scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, _LimitedBody(receive, max_body), send)

    async def _authorize(self, scope: Scope) -> None:
        client = scope.get("client")
        address = address_bucket(client[0]) if client else ""
        key = keys.from_headers(scope["headers"])
        if key is None:
            if self._needs_key and not scope["path"].startswith(_SIGNED):
                raise _NO_KEY
            await self._limit(self._by_address, address, "address")
            return
        await self._limit(self._wrong_keys, address, "wrong_keys", tokens=0)  # before another query for a wrong key
        name_and_scope = await run_in_threadpool(self._look_up, key) if key else None
        if name_and_scope is None:
            await self._wrong_keys.take(address, self._now())
            raise _WRONG_KEY
        scope["state"]["key"], scope["state"]["key_scope"] = name_and_scope
        await self._limit(self._by_key, name_and_scope[0], "key")

    def _look_up(self, key: str) -> tuple[str, api_keys.Scope] | None:
        return self._context.db.run(api_keys.use, keys.digest(key))

    async def _limit(self, limiter: SharedLimiter, client: str, by: str, tokens: int = 1) -> None:
        wait = await limiter.take(client, self._now(), tokens)
        if wait:
            self._context.metrics.limited.labels(by).inc()
            seconds = max(1, -int(-wait // 1))  # rounded up
            raise Problem(
                429,
                "too_many_requests",
                f"Too many requests. Try again in {seconds} s.",
                {"Retry-After": str(seconds)},
            )


class _LimitedBody:
    """Receives a body up to a length, within a time limit."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive, self._max_bytes = receive, max_bytes
        self._deadline: float | None = None
        self._received, self._complete = 0, False

    async def __call__(self) -> Message:
        if self._complete:  # the next message says that the client disconnected
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._deadline = self._deadline or loop.time() + _BODY_TIMEOUT
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self._complete = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise HTTPException(413, headers={"Connection": "close"})
        return message


def _check_length(scope: Scope, max_bytes: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value[:20]) > max_bytes):
            detail = f"The request body is larger than {max_bytes} bytes."
            raise Problem(413, "too_large", detail, {"Connection": "close"})  # the body is not read


_BEARER = HTTPBearer(auto_error=False, description="A key from `unde-catalog search keys create`.")


async def _require_write_key(request: Request, _: Annotated[object, Depends(_BEARER)]) -> None:  # _: for OpenAPI only
    scope = getattr(request.state, "key_scope", None)
    if scope != "write":
        raise _NO_WRITE_KEY if scope else _NO_KEY


RequiresWriteKey = Depends(_require_write_key)  # for every route that changes data
