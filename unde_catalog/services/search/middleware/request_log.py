"""The outermost middleware: request ids, the request log, metrics, default headers, and a response to every error.

Keys, query strings and bodies are not logged.
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
_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUG = Problem(500, "internal_error", "Internal server error. The server's log has details under this request id.")
# Responses are data: no browser may run them or embed them. Pages set a policy of their own.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestLogMiddleware:
    """Sets `request_id` in `scope["state"]`. Reads `key` and `error`, which others may set there."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app, self._context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        metrics = self._context.metrics
        metrics.in_progress.inc()
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # every request gets a response and a log line
            state["error"] = error
            if not status:
                problem = problems.from_error(error) or _BUG
                await problems.to_response(problem, request_id)(scope, receive, send_with_headers)
        finally:
            metrics.in_progress.dec()
            seconds = perf_counter() - started
            route, method = _route(scope), scope["method"] if scope["method"] in _KNOWN_METHODS else "other"
            metrics.requests.labels(method, route, status).inc()
            metrics.seconds.labels(route).observe(seconds)
            self._log(scope, state, method, route, status, seconds)

    def _log(self, scope: Scope, state: dict[str, Any], method: str, route: str, status: int, seconds: float) -> None:
        client = scope.get("client")
        fields = {
            "request_id": state["request_id"],
            "method": method,
            "route": route,
            "status": status,  # 0: the client disconnected before a response
            "ms": round(seconds * 1000, 1),
            "client": client[0] if client else None,
            "key": state.get("key"),
        }
        error = state.get("error")
        if error is not None:
            fields["error"] = f"{type(error).__name__}: {error}"
            if problems.from_error(error) is None:
                fields["trace"] = "".join(traceback.format_exception(error))
        level = logging.ERROR if error is not None or status >= 500 else logging.INFO
        LOG.log(level, "request", extra={"fields": fields})


class JsonLogFormatter(logging.Formatter):
    """Formats a log record as one line of JSON. Secrets are masked."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line: the record's `fields` if it has them, else its message."""
        fields = getattr(record, "fields", None)
        if fields is None:
            fields = {"message": record.getMessage()}
            if record.exc_info:
                fields["trace"] = self.formatException(record.exc_info)
        timestamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": timestamp, "level": record.levelname.lower(), **fields}
        text = json.dumps(line, ensure_ascii=False, default=str)
        return api_keys.redact(self._secrets.hide(text)) if record.levelno >= logging.WARNING else text


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _VALID_ID.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(8)


def _route(scope: Scope) -> str:
    """The route's template, e.g. `/api/v1/products/{external_id}`, which keeps the number of label values small."""
    route = scope.get("route")
    path = getattr(route, "path_format", None)
    if path:
        return path
    return "/{page}" if scope.get("endpoint") is not None else "none"
