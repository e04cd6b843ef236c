"""The log of all requests: one JSON line each, written when the response is sent or the work is done.

It never has tokens or Authorization headers.
"""

import json
import logging
import re
import time
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

KIND = "sandbox_kind"
FAULT = "sandbox_fault"  # the name of the fault that a request got
DETAILS = "sandbox_details"  # a dict with further fields of the request's entry
_STARTED = "sandbox_started"
_OPEN = "sandbox_open"
_WRITTEN = "sandbox_written"
_BOT_TOKEN = re.compile(r"/bot[^/]+/")  # Telegram's token is part of the path
_SECRET = re.compile(r"(?i)token|key|secret|password|signature")


class RequestLog:
    """The log file and the number of open requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", buffering=1)

    def request_started(self, request: web.Request) -> None:
        """Records when a request starts and how many others are open."""
        request[_STARTED] = time.time()
        request[_OPEN] = self.open
        self.open += 1

    def request_finished(self, request: web.BaseRequest, response: web.StreamResponse, seconds: float) -> None:
        """Writes a request's entry after the response is sent or the client left, unless `write_now` wrote it."""
        if _STARTED in request:
            self.open -= 1
        if _WRITTEN not in request:
            self._write(request, response.status, _body_bytes(request, response), seconds, {})

    def write_now(self, request: web.Request, response: web.Response, details: dict[str, Any]) -> None:
        """Writes a request's entry, with details, before the response is sent.

        So what was done and billed is in the log even if the response gets lost, and before the client has it.
        """
        seconds = time.time() - request[_STARTED]
        self._write(request, response.status, response.content_length or 0, seconds, details)
        request[_WRITTEN] = True

    def _write(self, request: web.BaseRequest, status: int, size: int, seconds: float, details: dict[str, Any]) -> None:
        entry = {
            "time": round(request.get(_STARTED, time.time() - seconds), 6),
            "kind": request.get(KIND, "other"),
            "method": request.method,
            "path": _BOT_TOKEN.sub("/bot***/", request.path),
            "query": without_secrets(request.rel_url.raw_query_string),
            "status": status,
            "bytes": size,
            "ms": round(seconds * 1000, 3),
            "open": request.get(_OPEN, 0),
            "user_agent": request.headers.get("User-Agent", ""),
            **({"fault": request[FAULT]} if FAULT in request else {}),
            **request.get(DETAILS, {}),
            **details,
        }
        self._file.write(json.dumps(entry) + "\n")

    def read(self, since: int, kind: str | None) -> tuple[list[dict[str, Any]], int]:
        """Returns the requests logged after position `since` (0: all) and the position of the end.

        `kind` is a whole kind or its part before a dot: `ximilar` selects `ximilar.insert`, `ximilar.get` and so on.
        """
        with self.path.open("rb") as lines:
            end = lines.seek(0, 2)
            lines.seek(since if 0 <= since <= end else 0)
            data = lines.read()
            next_position = lines.tell() - len(data) + data.rfind(b"\n") + 1
        complete = data[: data.rfind(b"\n") + 1]
        requests = [json.loads(line) for line in complete.splitlines()]
        matching = [entry for entry in requests if kind is None or f"{entry['kind']}.".startswith(f"{kind}.")]
        return matching, next_position

    def clear(self) -> None:
        """Empties the log."""
        self._file.truncate(0)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def access_log_class(self) -> type[AbstractAccessLogger]:
        """Returns a class for aiohttp's access log that writes to this log."""
        log = self

        class Bound(AbstractAccessLogger):
            def __init__(self, logger: logging.Logger, log_format: str) -> None:
                super().__init__(logger, log_format)

            def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
                log.request_finished(request, response, time)

        return Bound


def _body_bytes(request: web.BaseRequest, response: web.StreamResponse) -> int:
    """Returns the number of bytes of the body that were sent (aiohttp's count may include headers)."""
    if request.method == "HEAD" or response.status in (204, 304):
        return 0
    announced = response.content_length
    return response.body_length if announced is None else min(announced, response.body_length)


def without_secrets(query: str) -> str:
    """Returns a query string with the values of tokens and other secrets replaced."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return urlencode([(name, "***" if _SECRET.search(name) else value) for name, value in pairs], safe=":*/{}")
