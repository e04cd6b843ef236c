"""The log of every request, one JSON line each, written once its answer has been sent, or when its work is done.

It says who asked for what, when and how it went; tokens and Authorization headers never get in.
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
FAULT = "sandbox_fault"  # the name of the fault that struck a request
NOTED = "sandbox_noted"  # what else the line of a request tells, a dict
_ARRIVED = "sandbox_arrived"
_OPEN = "sandbox_open"
_WRITTEN = "sandbox_written"
_BOT = re.compile(r"/bot[^/]+/")  # Telegram's token is part of the path
_SECRET = re.compile(r"(?i)token|key|secret|password|signature")


class RequestLog:
    """The log file and the count of requests that are open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", buffering=1)

    def arrived(self, request: web.Request) -> None:
        """Notes that a request has come in and how many were open then (itself not counted)."""
        request[_ARRIVED] = time.time()
        request[_OPEN] = self.open
        self.open += 1

    def done(self, request: web.BaseRequest, response: web.StreamResponse, seconds: float) -> None:
        """Writes the line of a request whose answer is sent or whose client has gone."""
        arrived = request.get(_ARRIVED)
        if arrived is not None:
            self.open -= 1
        if _WRITTEN not in request:
            self._write(request, response.status, _body_bytes(request, response), seconds, {})

    def work_done(self, request: web.Request, response: web.Response, details: dict[str, Any]) -> None:
        """Writes a request's line now, with details and the answer as it is meant: what was done and billed stands in
        the log whatever becomes of the answer, and before anyone can ask for it."""
        seconds = time.time() - request[_ARRIVED]
        self._write(request, response.status, response.content_length or 0, seconds, details)
        request[_WRITTEN] = True

    def _write(self, request: web.BaseRequest, status: int, size: int, seconds: float, details: dict[str, Any]) -> None:
        arrived = request.get(_ARRIVED)
        line = {
            "time": round(arrived if arrived is not None else time.time() - seconds, 6),
            "kind": request.get(KIND, "other"),
            "method": request.method,
            "path": _BOT.sub("/bot***/", request.path),
            "query": without_secrets(request.rel_url.raw_query_string),
            "status": status,
            "bytes": size,
            "ms": round(seconds * 1000, 3),
            "open": request.get(_OPEN, 0),
            "user_agent": request.headers.get("User-Agent", ""),
            **({"fault": request[FAULT]} if FAULT in request else {}),
            **request.get(NOTED, {}),
            **details,
        }
        self._file.write(json.dumps(line) + "\n")

    def read(self, since: int, kind: str | None) -> tuple[list[dict[str, Any]], int]:
        """The requests logged after position `since` (0: all) and the position to go on from.

        `kind` is whole or what stands before a dot: `ximilar` is all of `ximilar.insert`, `ximilar.get` ...
        """
        with self.path.open("rb") as lines:
            end = lines.seek(0, 2)
            lines.seek(since if 0 <= since <= end else 0)
            data = lines.read()
            next_position = lines.tell() - len(data) + data.rfind(b"\n") + 1
        complete = data[: data.rfind(b"\n") + 1]
        requests = [json.loads(line) for line in complete.splitlines()]
        return [line for line in requests if kind is None or f"{line['kind']}.".startswith(f"{kind}.")], next_position

    def clear(self) -> None:
        """Starts the log anew."""
        self._file.truncate(0)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def access_log_class(self) -> type[AbstractAccessLogger]:
        """What aiohttp calls after every answer, bound to this log."""
        log = self

        class Bound(AbstractAccessLogger):
            def __init__(self, logger: logging.Logger, log_format: str) -> None:
                super().__init__(logger, log_format)

            def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
                log.done(request, response, time)

        return Bound


def _body_bytes(request: web.BaseRequest, response: web.StreamResponse) -> int:
    """The bytes of the body that were sent (what aiohttp counts holds the headers too)."""
    if request.method == "HEAD" or response.status in (204, 304):
        return 0
    announced = response.content_length
    return response.body_length if announced is None else min(announced, response.body_length)


def without_secrets(query: str) -> str:
    """The query string (as sent) with the values of tokens and the like taken out."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return urlencode([(name, "***" if _SECRET.search(name) else value) for name, value in pairs], safe=":*/{}")
