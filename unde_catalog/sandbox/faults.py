"""Fault injection: rules that decide which requests fail, and how.

Grammar of a specification (`--faults`); whitespace around commas is allowed:

    SPEC = RULE {"," RULE}          RULE = KIND ":" FAULT ["x" TIMES] "=" SHARE

KIND   the request's kind in the log: photo, apify.start, apify.run, apify.items, ximilar.insert, ximilar.get and so
       on, stock (all four stock APIs), finder, bakai.products, bakai.product, bakai.health, bakai.list, bakai.photo
       (of CDN and bucket), telegram.getFile, telegram.file, telegram.getMe
FAULT  one of

       404, 503 ...                any status from 400 to 599; 429 has Retry-After: 1
       429-in-30, 503-at-30        a status with a Retry-After of 30 seconds, or of the date 30 seconds from now
       timeout, drip               no response; ten bytes a second
       404-after, timeout-after    the same, but after the work is done
       body-500, body-500-after    HTTP status 200, with status 500 in the JSON
       lost                        the work is done, then the connection closes without a response
       late-5                      the work is done, and the response comes 5 seconds later
       not-json, wrong-types       the work is done; the response is half a JSON document, or has wrong types
       reset, truncated            the connection closes after the headers, or after 60 % of the announced length
       length-long, length-short   a Content-Length above or below what is sent
       half, empty, brd-error      half a file; an empty body; an empty body with a proxy's x-brd-error header
       html, html-as-jpeg          an HTML page instead of a file
       too-large, endless, bomb    32 MB; an endless body; a PNG with a header of 20,000 x 20,000 pixels
       to-private, redirect-loop   redirects to 169.254.169.254, or to itself
       FAILED, TIMED-OUT, ABORTED  for apify.run: the final status of a run, decided at its start
       RUNNING                     for apify.run: the run never ends
       invalid-file-id, unavailable, file-too-big         for telegram.getFile: 400; only the second is temporary
       no-path, no-size, wrong-size, no-unique-id, odd-path       likewise: a response with a missing or wrong field

Faults that cut, shorten or slow down a response also come after the work is done.

TIMES  the fault ends after this many requests for a path (503x2). Without it, the fault is permanent.
SHARE  the share of paths that it hits, 0 to 1. For Ximilar, a path is the path plus the first record's `_id`; for
       stock, brand plus product, so that a fault hits all requests for a product; for bakai's lists, each page; for
       Telegram, each file id.

For example: photo:404=0.05,photo:503x2=0.1,photo:truncated=0.02,apify.run:FAILEDx1=1,ximilar.insert:lostx1=0.1,
stock:526x1=0.1,stock:403=0.02,finder:html=1,telegram.getFile:429-in-8x1=0.1,telegram.file:404x1=0.1

Which paths are hit depends only on the seed, the kind and the path, so a run can be repeated. Of the rules for one
kind, at most one applies to a path: their shares add up. POST /_control (control.py) replaces the rules of a running
sandbox and queues faults for the next requests of a kind. The responses are in fault_responses.py.
"""

import re
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from unde_catalog.sandbox.apify.runs import ENDINGS, RunStatus
from unde_catalog.sandbox.fault_responses import RESPONSES, Fault, Handler, late, status
from unde_catalog.sandbox.identity import stable_share
from unde_catalog.sandbox.request_log import FAULT
from unde_catalog.sandbox.telegram.faults import TELEGRAM_FAULTS

_ENDING_BY_NAME: dict[str, RunStatus] = {str(ending): ending for ending in ENDINGS}
_RULE = re.compile(r"(?P<kind>[A-Za-z.]+):(?P<fault>[A-Za-z0-9-]+?)(?:x(?P<times>[1-9]\d*))?=(?P<share>[0-9.]+)")
_STATUS = re.compile(r"(?P<body>body-)?(?P<code>[45]\d\d)(?:-(?P<form>in|at)-(?P<seconds>\d{1,6}))?(?P<after>-after)?")
_LATE = re.compile(r"late-(?P<seconds>\d{1,3})")


class FaultSpecError(ValueError):
    """A fault specification does not follow the grammar; the message says which rule and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `fault` hits `share` of the paths of `kind`, each of them `times` times (None: always)."""

    kind: str
    fault: str
    times: int | None
    share: float


class Faults:
    """The current rules, and how often each has hit which path."""

    def __init__(self, rules: list[Rule], seed: int = 0) -> None:
        self.rules = rules
        self.seed = seed
        self._hits: dict[tuple[Rule, str], int] = {}
        self._queued: dict[str, deque[str]] = defaultdict(deque)

    async def around(
        self, kind: str, request: web.Request, handler: Handler, key: str | None = None
    ) -> web.StreamResponse:
        """Returns the handler's response, or a fault's; rules go by `key` or, without it, by the request's path."""
        if self._queued[kind]:
            name = self._queued[kind].popleft()
        else:
            rules = [rule for rule in self.rules if rule.fault not in ENDINGS]
            name = self._decide(rules, kind, key or request.path)
        if name is None:
            return await handler(request)
        request[FAULT] = name
        return await _fault_named(name)(request, handler)

    def replace(self, rules: list[Rule]) -> None:
        """Replaces the rules and resets the counts of hits."""
        self.rules = rules
        self._hits.clear()

    def queue(self, kind: str, names: Sequence[str]) -> None:
        """Queues valid faults for the next requests of a kind, one each; replaces an earlier queue."""
        self._queued[kind] = deque(names)

    def run_ending(self, path: str) -> RunStatus:
        """Returns the final status of a run started at this path."""
        name = self._decide([rule for rule in self.rules if rule.fault in ENDINGS], "apify.run", path)
        return _ENDING_BY_NAME[name] if name else "SUCCEEDED"

    def permanent_fault(self, kind: str, path: str) -> str | None:
        """Returns the fault that hits every request for this path, or None."""
        rule = self._rule([rule for rule in self.rules if rule.fault not in ENDINGS], kind, path)
        return rule.fault if rule is not None and rule.times is None else None

    def _decide(self, rules: list[Rule], kind: str, path: str) -> str | None:
        """Returns the fault for this request, or None, and counts the hit."""
        rule = self._rule(rules, kind, path)
        if rule is None:
            return None
        if rule.times is not None:
            hits = self._hits.get((rule, path), 0)
            if hits >= rule.times:
                return None
            self._hits[(rule, path)] = hits + 1
        return rule.fault

    def _rule(self, rules: list[Rule], kind: str, path: str) -> Rule | None:
        """Returns the rule whose share has the path's point, or None."""
        point = stable_share(self.seed, kind, path)
        for rule in rules:
            if rule.kind == kind:
                if point < rule.share:
                    return rule
                point -= rule.share
        return None


def parse_faults(spec: str | None, seed: int = 0) -> Faults:
    """Parses a specification (None or empty: no faults); raises `FaultSpecError`, which names the wrong rule."""
    return Faults(parse_rules(spec), seed)


def parse_rules(spec: str | None) -> list[Rule]:
    """Parses the rules of a specification; see `parse_faults`."""
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
                raise FaultSpecError(f"fault rule {text.strip()!r}: only apify.run can end as {match['fault']}")
        else:
            check_fault_name(match["fault"])
        rules.append(Rule(match["kind"], match["fault"], int(match["times"]) if match["times"] else None, share))
    return rules


def check_fault_name(name: str) -> None:
    """Raises `FaultSpecError` for an unknown fault."""
    _fault_named(name)


def _fault_named(name: str) -> Fault:
    if name in RESPONSES:
        return RESPONSES[name]
    if name in TELEGRAM_FAULTS:
        return TELEGRAM_FAULTS[name]
    if match := _LATE.fullmatch(name):
        return late(int(match["seconds"]))
    if match := _STATUS.fullmatch(name):
        retry_after = {"in": match["seconds"], "at": f"at{match['seconds']}"}.get(match["form"])
        return status(int(match["code"]), retry_after, in_body=bool(match["body"]), after=bool(match["after"]))
    known = ", ".join([*RESPONSES, *TELEGRAM_FAULTS, *ENDINGS[1:]])
    raise FaultSpecError(
        f"unknown fault {name!r}; known are a status from 400 to 599, body-500, 503-after, 429-in-30, late-5, {known}"
    )
