"""Around every request: its id, one line of JSON in the log, what is counted, headers, and an answer also to a bug.

Outermost of what handles a request. Neither keys nor query strings nor bodies are written down.
"""

import json
import logging
import re
import secrets
import traceback
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unde_catalog.services.search.context import Context
from unde_catalog.services.search.middleware import api_keys
from unde_catalog.services.search.schemas import problems
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.settings.redaction import Secrets

LOG = logging.getLogger("unde_catalog.services.search")
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUG = Problem(500, "internal_error", "this is a bug of the server's: its log tells more under this request id")
# Answers are data, which no browser may run or show inside another page; pages have policies of their own.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestLogMiddleware:
    """The middleware. `scope["state"]` has `request_id` from here on, and may get `key` and `error`."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app, self._context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(scope)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        metrics = self._context.metrics
        metrics.in_hand.inc()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # nothing may end without an answer and a line in the log
            state["error"] = error
            if not status:
                await problems.answer(problems.from_error(error) or _BUG, request_id)(scope, receive, sending)
        finally:
            metrics.in_hand.dec()
            seconds = perf_counter() - began
            route, method = _route(scope), scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.labels(route).observe(seconds)
            self._write(scope, state, method, route, status, seconds)

    def _write(self, scope: Scope, state: dict[str, Any], method: str, route: str, status: int, seconds: float) -> None:
        client = scope.get("client")
        line = {
            "request_id": state["request_id"],
            "method": method,
            "route": route,
            "status": status,  # 0: the client left before an answer
            "ms": round(seconds * 1000, 1),
            "client": client[0] if client else None,
            "key": state.get("key"),
        }
        error = state.get("error")
        if error is not None:
            line["error"] = f"{type(error).__name__}: {error}"
            if problems.from_error(error) is None:
                line["trace"] = "".join(traceback.format_exception(error))
        level = logging.ERROR if error is not None or status >= 500 else logging.INFO
        LOG.log(level, "request", extra={"told": line})


class JsonLogFormatter(logging.Formatter):
    """A log record as one line of JSON, without secrets."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = getattr(record, "told", None)
        if told is None:
            told = {"message": record.getMessage()}
            if record.exc_info:
                told["trace"] = self.formatException(record.exc_info)
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": moment, "level": record.levelname.lower(), **told}
        text = json.dumps(line, ensure_ascii=False, default=str)
        return api_keys.hide(self._secrets.hide(text)) if record.levelno >= logging.WARNING else text


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(8)


def _route(scope: Scope) -> str:
    """The template of the route, e.g. `/api/v1/products/{external_id}`: there are as many as there are routes."""
    route = scope.get("route")
    path = getattr(route, "path_format", None)
    if path:
        return path
    return "/{page}" if scope.get("endpoint") is not None else "none"
