"""Faults on purpose: which request goes wrong, and how.

Grammar of a specification (`--faults`), white space around commas allowed:

    SPEC = RULE {"," RULE}          RULE = KIND ":" FAULT ["x" TIMES] "=" SHARE

KIND   the request's kind in the log: photo, apify.start, apify.run, apify.items, file ...
FAULT  a row of RESPONSES (any status such as 404 or 503, timeout, html, html-as-jpeg, truncated, reset, empty), or, for
       apify.run, the ending of a run (FAILED, TIMED-OUT, ABORTED), decided when the run is started.
TIMES  a passing fault: it goes away after so many requests of one path (503x2). Without it the fault stays.
SHARE  the share of paths it strikes, 0 to 1.

For example: photo:404=0.05,photo:503x2=0.1,photo:truncated=0.02,apify.run:FAILEDx1=1

Which path is struck depends on the seed, the kind and the path alone, so a run can be repeated. Of the rules of
one kind a path gets at most one: their shares add up. A new fault is one function and one row of the table.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from unde_catalog.sandbox.identity import stable_share
from unde_catalog.sandbox.runs import ENDINGS, RunStatus

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

FILE = "sandbox_file"  # the file that a request is answered with, if it is one
HANG_SECONDS = 600.0
_ENDING_BY_NAME: dict[str, RunStatus] = {str(ending): ending for ending in ENDINGS}
_RULE = re.compile(r"(?P<kind>[a-z.]+):(?P<fault>[A-Za-z0-9-]+?)(?:x(?P<times>[1-9]\d*))?=(?P<share>[0-9.]+)")
_HTML = (
    "<!DOCTYPE html><html><head><title>Access Denied</title></head>"
    "<body><h1>Access Denied</h1><p>You don't have permission to access this resource.</p></body></html>"
)


class FaultSpecError(ValueError):
    """A fault specification that does not follow the grammar; says which rule and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `fault` strikes `share` of the paths of `kind`, each `times` times (None: always)."""

    kind: str
    fault: str
    times: int | None
    share: float


class Faults:
    """The rules in force and how often each has struck which path."""

    def __init__(self, rules: list[Rule], seed: int = 0) -> None:
        self.rules = rules
        self.seed = seed
        self._struck: dict[tuple[Rule, str], int] = {}

    async def around(self, kind: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or what a fault makes of it."""
        name = self._decide([rule for rule in self.rules if rule.fault not in ENDINGS], kind, request.path)
        return await (_response_fault(name)(request, handler) if name else handler(request))

    def run_ending(self, path: str) -> RunStatus:
        """How a run started at this path will end."""
        name = self._decide([rule for rule in self.rules if rule.fault in ENDINGS], "apify.run", path)
        return _ENDING_BY_NAME[name] if name else "SUCCEEDED"

    def _decide(self, rules: list[Rule], kind: str, path: str) -> str | None:
        """The name of the fault that strikes this request now; counts the strike."""
        point = stable_share(self.seed, kind, path)
        for rule in rules:
            if rule.kind != kind:
                continue
            if point >= rule.share:
                point -= rule.share
                continue
            strikes = self._struck.get((rule, path), 0)
            if rule.times is not None and strikes >= rule.times:
                return None
            if rule.times is not None:
                self._struck[(rule, path)] = strikes + 1
            return rule.fault
        return None


def parse(spec: str | None, seed: int = 0) -> Faults:
    """Faults from a specification (None or empty: no faults); `FaultSpecError` names the rule that is wrong."""
    rules = []
    for text in (spec or "").split(","):
        if not text.strip():
            continue
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise FaultSpecError(f"fault rule {text.strip()!r} is not KIND:FAULT[xTIMES]=SHARE")
        try:
            share = float(match["share"])
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise FaultSpecError(f"fault rule {text.strip()!r}: the share must be from 0 to 1")
        if match["fault"] in ENDINGS:
            if match["kind"] != "apify.run":
                raise FaultSpecError(f"fault rule {text.strip()!r}: only apify.run ends as {match['fault']}")
        else:
            _response_fault(match["fault"])
        rules.append(Rule(match["kind"], match["fault"], int(match["times"]) if match["times"] else None, share))
    return Faults(rules, seed)


async def _timeout(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Never answers; ends when the client has gone."""
    for _ in range(int(HANG_SECONDS * 10)):
        if request.transport is None or request.transport.is_closing():
            break
        await asyncio.sleep(0.1)
    return web.Response(status=504)


async def _html(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page with status 200 where something else was asked for."""
    return web.Response(body=_HTML.encode(), content_type="text/html")


async def _html_as_jpeg(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The same page, called a JPEG."""
    return web.Response(body=_HTML.encode(), content_type="image/jpeg")


async def _truncated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The first 60 % of the body behind the whole body's Content-Length, then the connection is cut."""
    return await _cut(request, handler, 0.6)


async def _reset(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Headers, no body, and the connection is cut."""
    return await _cut(request, handler, 0.0)


async def _empty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """200 with an empty body, as a proxy in trouble answers."""
    return web.Response(body=b"", content_type="application/octet-stream")


async def _cut(request: web.Request, handler: Handler, share: float) -> web.StreamResponse:
    whole = await handler(request)
    if FILE in request:
        body = request[FILE].read_bytes()
    else:
        body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    cut = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: int(len(body) * share)])
    if request.transport is not None:
        request.transport.close()
    return cut


RESPONSES: dict[str, Fault] = {
    "timeout": _timeout,
    "html": _html,
    "html-as-jpeg": _html_as_jpeg,
    "truncated": _truncated,
    "reset": _reset,
    "empty": _empty,
}


def _status(code: int) -> Fault:
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = {"Retry-After": "1"} if code == 429 else {}
        if request.path.startswith("/v2/"):
            body = {"error": {"type": "rate-limit-exceeded" if code == 429 else "internal-error", "message": "Fault"}}
            return web.json_response(body, status=code, headers=headers)
        return web.Response(status=code, text=f"{code}", headers=headers)

    return answer


def _response_fault(name: str) -> Fault:
    if name in RESPONSES:
        return RESPONSES[name]
    if name.isdigit() and 400 <= int(name) <= 599:
        return _status(int(name))
    known = ", ".join([*RESPONSES, *ENDINGS[1:]])
    raise FaultSpecError(f"unknown fault {name!r}; known are a status from 400 to 599, {known}")
