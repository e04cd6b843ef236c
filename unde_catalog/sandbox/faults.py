"""Faults on purpose: which request goes wrong, and how.

Grammar of a specification (`--faults`), white space around commas allowed:

    SPEC = RULE {"," RULE}          RULE = KIND ":" FAULT ["x" TIMES] "=" SHARE

KIND   the request's kind in the log: photo, apify.start, apify.run, apify.items, ximilar.insert, ximilar.get ...,
       stock (all four shapes of the shops), finder, bakai.products, bakai.product, bakai.health, bakai.list,
       bakai.photo (from CDN and bucket alike), telegram.getFile, telegram.file, telegram.getMe
FAULT  one of

       404, 503 ...                any status from 400 to 599; 429 says Retry-After: 1
       429-in-30, 503-at-30        a status whose Retry-After is 30 seconds, or the date of then
       timeout, drip               no answer; ten bytes a second
       404-after, timeout-after    the same after the request has been carried out; only the answer is wrong
       body-500, body-500-after    HTTP says 200, the status in the JSON says 500
       lost                        carried out, then cut without a byte of an answer
       late-5                      carried out, answered 5 seconds later
       not-json, wrong-types       carried out, answered with half a JSON; with text for numbers, objects for lists ...
       reset, truncated            cut after the headers, or after 60 % of the announced length
       length-long, length-short   a Content-Length above and below what is sent
       half, empty, brd-error      half a file; nothing; nothing, with a proxy's x-brd-error header
       html, html-as-jpeg          a page instead of a file
       too-large, endless, bomb    32 MB; a body without an end; a PNG that claims 20,000 x 20,000 pixels
       to-private, redirect-loop   redirects to 169.254.169.254 and to itself
       FAILED, TIMED-OUT, ABORTED  for apify.run: the ending of a run, decided when it is started
       RUNNING                     for apify.run: it never ends
       invalid-file-id, unavailable, file-too-big         for telegram.getFile: 400 and why, the second of which passes
       no-path, no-size, wrong-size, no-unique-id, odd-path       likewise: an answer that lacks something, or lies

What is cut, cut short or dripped was carried out before, too.

TIMES  a passing fault: it goes away after so many requests of one path (503x2). Without it the fault stays.
SHARE  the share of paths it strikes, 0 to 1. To Ximilar a path is path and `_id` of the first record; for stock it is
       brand and product, so a fault strikes all that is asked about one product; of bakai's lists each page is a path,
       of Telegram each file id.

For example: photo:404=0.05,photo:503x2=0.1,photo:truncated=0.02,apify.run:FAILEDx1=1,ximilar.insert:lostx1=0.1,
stock:526x1=0.1,stock:403=0.02,finder:html=1,telegram.getFile:429-in-8x1=0.1,telegram.file:404x1=0.1

Which path is struck depends on the seed, the kind and the path alone, so a run can be repeated. Of the rules of
one kind a path gets at most one: their shares add up. A running sandbox is told by POST /_control (control.py), which
also queues faults for just the next requests of a kind. The answers themselves are in fault_answers.py.
"""

import re
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from unde_catalog.sandbox.apify.runs import ENDINGS, RunStatus
from unde_catalog.sandbox.fault_answers import RESPONSES, Fault, Handler, late, status
from unde_catalog.sandbox.identity import stable_share
from unde_catalog.sandbox.request_log import FAULT
from unde_catalog.sandbox.telegram.faults import FAULTS as OF_TELEGRAM

_ENDING_BY_NAME: dict[str, RunStatus] = {str(ending): ending for ending in ENDINGS}
_RULE = re.compile(r"(?P<kind>[A-Za-z.]+):(?P<fault>[A-Za-z0-9-]+?)(?:x(?P<times>[1-9]\d*))?=(?P<share>[0-9.]+)")
_STATUS = re.compile(
    r"(?P<body>body-)?(?P<code>[45]\d\d)(?:-(?P<manner>in|at)-(?P<seconds>\d{1,6}))?(?P<after>-after)?"
)
_LATE = re.compile(r"late-(?P<seconds>\d{1,3})")


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
        self._queued: dict[str, deque[str]] = defaultdict(deque)

    async def around(
        self, kind: str, request: web.Request, handler: Handler, key: str | None = None
    ) -> web.StreamResponse:
        """The handler's answer, or what a fault makes of it; `key` is what a fault strikes where it is not the path."""
        if self._queued[kind]:
            name = self._queued[kind].popleft()
        else:
            rules = [rule for rule in self.rules if rule.fault not in ENDINGS]
            name = self._decide(rules, kind, key or request.path)
        if name is None:
            return await handler(request)
        request[FAULT] = name
        return await _response_fault(name)(request, handler)

    def replace(self, rules: list[Rule]) -> None:
        """Puts other rules in force; nothing has been struck by them yet."""
        self.rules = rules
        self._struck.clear()

    def queue(self, kind: str, names: Sequence[str]) -> None:
        """Lets these faults, which `check` knows, strike the next requests of a kind, one each, instead of any earlier
        queue."""
        self._queued[kind] = deque(names)

    def run_ending(self, path: str) -> RunStatus:
        """How a run started at this path will end."""
        name = self._decide([rule for rule in self.rules if rule.fault in ENDINGS], "apify.run", path)
        return _ENDING_BY_NAME[name] if name else "SUCCEEDED"

    def lasting(self, kind: str, path: str) -> str | None:
        """The fault that strikes every request of this path, if one does."""
        rule = self._rule([rule for rule in self.rules if rule.fault not in ENDINGS], kind, path)
        return rule.fault if rule is not None and rule.times is None else None

    def _decide(self, rules: list[Rule], kind: str, path: str) -> str | None:
        """The name of the fault that strikes this request now; counts the strike."""
        rule = self._rule(rules, kind, path)
        if rule is None:
            return None
        if rule.times is not None:
            strikes = self._struck.get((rule, path), 0)
            if strikes >= rule.times:
                return None
            self._struck[(rule, path)] = strikes + 1
        return rule.fault

    def _rule(self, rules: list[Rule], kind: str, path: str) -> Rule | None:
        """The rule that a path falls to: its point lies in that rule's share."""
        point = stable_share(self.seed, kind, path)
        for rule in rules:
            if rule.kind == kind:
                if point < rule.share:
                    return rule
                point -= rule.share
        return None


def parse(spec: str | None, seed: int = 0) -> Faults:
    """Faults from a specification (None or empty: no faults); `FaultSpecError` names the rule that is wrong."""
    return Faults(rules_of(spec), seed)


def rules_of(spec: str | None) -> list[Rule]:
    """The rules of a specification; see `parse`."""
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
            check(match["fault"])
        rules.append(Rule(match["kind"], match["fault"], int(match["times"]) if match["times"] else None, share))
    return rules


def check(name: str) -> None:
    """Raises `FaultSpecError` for a name that no answer has."""
    _response_fault(name)


def _response_fault(name: str) -> Fault:
    if name in RESPONSES:
        return RESPONSES[name]
    if name in OF_TELEGRAM:
        return OF_TELEGRAM[name]
    if match := _LATE.fullmatch(name):
        return late(int(match["seconds"]))
    if match := _STATUS.fullmatch(name):
        retry_after = {"in": match["seconds"], "at": f"at{match['seconds']}"}.get(match["manner"])
        return status(int(match["code"]), retry_after, in_body=bool(match["body"]), after=bool(match["after"]))
    known = ", ".join([*RESPONSES, *OF_TELEGRAM, *ENDINGS[1:]])
    raise FaultSpecError(
        f"unknown fault {name!r}; known are a status from 400 to 599, body-500, 503-after, 429-in-30, late-5, {known}"
    )
