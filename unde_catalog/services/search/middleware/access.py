"""Who may ask, how often, and how much may be sent: decided before a byte of the body is read.

Keys are `api_keys.py`'s and `stores/staging/admin/api_keys.py`'s, the counting is `rate_limits.py`'s. Whether a
photo can be used is not decided here.
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
from unde_catalog.services.search.middleware.rate_limits import Rates, of_address
from unde_catalog.services.search.schemas import problems
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stores.staging.admin import api_keys

_API = "/api/"
_OPEN = ("/api/v1/health",)  # whoever watches over the server must not be sent away
_SIGNED = "/api/v1/webhooks/"  # have signatures in place of keys
_UPLOAD = "/api/v1/search/by-image"
_FIELDS = 64_000  # bytes of a form beside its photo
_BODY = 1_000_000  # bytes of any other body
_MOST_AT_ONCE = 200  # requests; a machine that does not get on with them is not helped by more
_BODY_SECONDS = 60  # for all of a body, so that nobody holds a place by sending a byte a minute

_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_WRONG_KEY = Problem(401, "wrong_key", "this API key is not known, or was revoked", _CHALLENGE)
_NO_KEY = Problem(401, "key_needed", "this needs an API key: Authorization: Bearer <key>", _CHALLENGE)
_NO_WRITE_KEY = Problem(403, "write_key_needed", "this API key may only read: this needs one that may write")
_BUSY = Problem(503, "busy", "too many requests are being answered: try again in a second", {"Retry-After": "1"})


class AccessMiddleware:
    """The middleware for requests to the API. `scope["state"]` has the key's name and scope, if there is a key."""

    def __init__(self, app: ASGIApp, context: Context, now: Callable[[], float] = monotonic) -> None:
        settings = context.settings
        self._app, self._context, self._now = app, context, now
        self._by_address = Rates(settings.search_rate_per_minute)
        self._by_key = Rates(settings.search_key_rate_per_minute)
        self._wrong_keys = Rates(settings.search_rate_per_minute)
        self._needs_key = settings.search_needs_key
        self._in_hand = 0
        self._upload = settings.search_photo_max_bytes + _FIELDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._in_hand += 1
        try:
            await self._let_through(scope, receive, send)
        finally:
            self._in_hand -= 1

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            watched = scope["path"] in _OPEN
            if self._in_hand > _MOST_AT_ONCE and not watched:
                raise _BUSY
            if scope["path"].startswith(_API) and not watched:
                await self._admit(scope)
            most = self._upload if scope["path"] == _UPLOAD else _BODY
            _check_length(scope, most)
        except Exception as error:
            problem = problems.from_error(error)
            if problem is None:
                raise
            if not isinstance(error, Problem):
                scope["state"]["error"] = error
            await problems.answer(problem, scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, _Limited(receive, most), send)

    async def _admit(self, scope: Scope) -> None:
        client = scope.get("client")
        address = of_address(client[0]) if client else ""
        given = keys.given(scope["headers"])
        if given is None:
            if self._needs_key and not scope["path"].startswith(_SIGNED):
                raise _NO_KEY
            self._limit(self._by_address, address, "address")
            return
        self._limit(self._wrong_keys, address, "wrong_keys", tokens=0)  # before the database is asked for another one
        found = None
        if given:
            found = await run_in_threadpool(self._look_up, given)
        if found is None:
            self._wrong_keys.take(address, self._now())
            raise _WRONG_KEY
        scope["state"]["key"], scope["state"]["key_scope"] = found
        self._limit(self._by_key, found[0], "key")

    def _look_up(self, key: str) -> tuple[str, api_keys.Scope] | None:
        return self._context.db.run(api_keys.use, keys.digest(key))

    def _limit(self, rates: Rates, who: str, by: str, tokens: int = 1) -> None:
        wait = rates.take(who, self._now(), tokens)
        if wait:
            self._context.metrics.limited.labels(by).inc()
            seconds = max(1, -int(-wait // 1))  # rounded up
            raise Problem(
                429, "too_many_requests", f"too many requests: wait {seconds} s", {"Retry-After": str(seconds)}
            )


class _Limited:
    """Receives a body up to a length, in a limited time."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._ends: float | None = None
        self._got, self._complete = 0, False

    async def __call__(self) -> Message:
        if self._complete:  # what comes now is that the client left
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._ends = self._ends or loop.time() + _BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self._complete = not message.get("more_body", False)
        self._got += len(message.get("body", b""))
        if self._got > self._most:
            raise HTTPException(413, str(self._most), {"Connection": "close"})
        return message


def _check_length(scope: Scope, most: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value[:20]) > most):
            raise too_large(most)


def too_large(most: int) -> Problem:
    """What is told of a body of more than so many bytes; the rest of it is not read."""
    return Problem(413, "too_large", f"more than {most} bytes are not taken", {"Connection": "close"})


_BEARER = HTTPBearer(auto_error=False, description="a key of unde-catalog search keys create")


async def _write_key(request: Request, _: Annotated[object, Depends(_BEARER)]) -> None:  # _: for the document only
    scope = getattr(request.state, "key_scope", None)
    if scope != "write":
        raise _NO_WRITE_KEY if scope else _NO_KEY


MayWrite = Depends(_write_key)  # for the dependencies of a router or route that changes anything
