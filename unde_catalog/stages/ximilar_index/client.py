"""A small client of Ximilar's collections (spec 6): insert, update, delete, get, ping, ten records a request.

What counts is `status.code` in the body, not HTTP's status. An insert is sent once and never repeated here: whether
one whose answer was lost was done (and billed) is settled with `get`, by the stage.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from requests import RequestException

RECORDS_A_REQUEST = 10
_SECONDS = (10, 60)  # to connect, and for each piece of an answer
_LONGEST_ANSWER = 5_000_000  # bytes
TRIES = 4  # of what may be repeated
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds between tries; Retry-After wins where it is sent

FINE, PARTLY, INSERTED, SOME_INSERTED, DELETED = 200, 206, 210, 211, 220
BAD_REQUEST, NONE_FOUND, ALL_DUPLICATES, FULL = 400, 404, 411, 412

Record = Mapping[str, str]


class XimilarUnavailable(RuntimeError):
    """Ximilar could not be asked or did not answer as it should, which may pass; what was asked may have been done."""


class XimilarRefused(RuntimeError):
    """Ximilar said no to all of it: the token, the collection, the prefix. Nothing was done; the sentence says more."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """What an insert did: the ids that are in the collection now, new or before, and why others are not.

    `no_room`: those that the collection was too full for; they are not billed.
    """

    there: frozenset[str]
    failed: Mapping[str, str] = field(default_factory=dict)
    no_room: frozenset[str] = frozenset()


class Pace(Protocol):
    """When requests may be sent."""

    def wait(self) -> None:
        """Return when it is this call's turn."""

    def rest(self, seconds: float) -> None:
        """Let nobody call for so long: the far side asked for it."""


class LocalPace:
    """So many calls a second over all threads of this process, evenly."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._gap
        time.sleep(max(0.0, turn - time.monotonic()))

    def rest(self, seconds: float) -> None:
        """Let nobody call for so long: the far side asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Ximilar:
    """One collection. Its methods block and may be called from several threads."""

    def __init__(self, url: str, prefix: str, token: str, collection: str, pace: Pace, *, tries: int = TRIES) -> None:
        """`prefix` must match the kind of collection, e.g. `/similarity/fashion-new/v2/`."""
        self.collection = collection
        self._base = f"{url.rstrip('/')}/{prefix.strip('/')}/"
        self._headers = {"Authorization": f"Token {token}", "collection-id": collection}
        self._pace = pace
        self._tries = tries
        self._sessions = threading.local()

    def __repr__(self) -> str:
        return f"Ximilar({self._base})"

    def insert(self, records: Sequence[Mapping[str, str]]) -> Inserted:
        """Insert up to ten records with `_id`, `_url` or `_base64`, and flat metadata. Each is billed (spec 6).

        Sent once. `XimilarUnavailable`: it is not known what was done.
        """
        wanted = {record["_id"] for record in records}
        body = self._send("insert", {"records": _ten(records), "fields_to_return": ["_id"]})
        code = _code(body)
        skipped = _skipped(body)
        if code == FULL:
            return Inserted(frozenset(), no_room=frozenset(wanted))
        if code in (FINE, INSERTED, ALL_DUPLICATES):
            return Inserted(frozenset(wanted))
        if code in (SOME_INSERTED, PARTLY) or (code == BAD_REQUEST and wanted <= skipped.keys()):
            why = {id: reason for id, reason in skipped.items() if id in wanted and "duplicate" not in reason.lower()}
            no_room = frozenset(id for id, reason in why.items() if "full" in reason.lower())
            failed = {id: reason for id, reason in why.items() if id not in no_room}
            return Inserted(frozenset(wanted - why.keys()), failed, no_room)
        raise self._refused("insert", code, body)

    def update(self, records: Sequence[Mapping[str, str]]) -> frozenset[str]:
        """Change metadata by `_id`; the ids that are not in the collection. The photo is not looked at again."""
        body = self._ask("update", {"records": _ten(records)})
        code = _code(body)
        wanted = {record["_id"] for record in records}
        if code in (FINE, INSERTED):
            return frozenset()
        if code == NONE_FOUND:
            return frozenset(wanted)
        if code == PARTLY:
            return frozenset(_skipped(body).keys() & wanted)
        raise self._refused("update", code, body)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete by `_id`; those that are not there are fine."""
        body = self._ask("delete", {"records": _ten([{"_id": id} for id in ids])})
        code = _code(body)
        if code not in (FINE, PARTLY, DELETED, NONE_FOUND):
            raise self._refused("delete", code, body)

    def get(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The records among these that are in the collection, by `_id`."""
        body = self._ask("get", {"records": _ten([{"_id": id} for id in ids])})
        code = _code(body)
        if code == NONE_FOUND:
            return {}
        if code not in (FINE, PARTLY):
            raise self._refused("get", code, body)
        found = body.get("answer_records", body.get("records"))
        if not isinstance(found, list):
            raise XimilarUnavailable("Ximilar's answer to get holds no list of records")
        return {one["_id"]: one for one in found if isinstance(one, dict) and one.get("_id") in set(ids)}

    def has_record_at(self, place: int) -> bool:
        """Whether there is a record at that place, from 1, of the collection's listing: so it holds at least as many.

        Costs one record's answer, however big the collection is; no request counts them.
        """
        body = self._ask(f"allRecords?size=1&page={place}", {"fields_to_return": ["_id"]})
        code = _code(body)
        if code == NONE_FOUND:
            return False
        if code not in (FINE, PARTLY):
            raise self._refused("allRecords", code, body)
        found = body.get("answer_records", body.get("records"))
        if not isinstance(found, list):
            raise XimilarUnavailable("Ximilar's answer to allRecords holds no list of records")
        return bool(found)

    def ping(self) -> dict[str, Any]:
        """The collection as the service describes it."""
        body = self._ask("ping", {})
        if _code(body) != FINE:
            raise self._refused("ping", _code(body), body)
        return body

    def _ask(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send what may be repeated, again when it failed."""
        wait = _FIRST_WAIT
        for left in reversed(range(self._tries)):
            try:
                return self._send(method, body)
            except XimilarUnavailable:
                if not left:
                    raise
                self._pace.rest(wait)
                wait *= 3
        raise AssertionError("unreachable")

    def _send(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._pace.wait()
        try:
            with self._session().post(
                self._base + method,
                json=body,
                headers=self._headers,
                timeout=_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer:
                retry_after = answer.headers.get("Retry-After", "")
                content = answer.raw.read(_LONGEST_ANSWER + 1, decode_content=True)
                status = answer.status_code
        except (RequestException, OSError) as error:
            raise XimilarUnavailable(f"Ximilar did not answer to {method}: {type(error).__name__}") from error
        except Exception as error:  # urllib3's own errors while the body is read
            if type(error).__module__.partition(".")[0] != "urllib3":
                raise
            raise XimilarUnavailable(f"Ximilar's answer to {method} broke off: {type(error).__name__}") from error
        return self._understood(method, status, retry_after, content)

    def _understood(self, method: str, status: int, retry_after: str, content: bytes) -> dict[str, Any]:
        if status == 429 or status >= 500:
            if retry_after.isdigit():
                self._pace.rest(min(float(retry_after), _LONGEST_WAIT))
            raise XimilarUnavailable(f"Ximilar answered {status} to {method}")
        if len(content) > _LONGEST_ANSWER:
            raise XimilarUnavailable(f"Ximilar's answer to {method} is longer than {_LONGEST_ANSWER} bytes")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            if 400 <= status < 500:  # there is no such path, or a gateway says no
                raise self._refused(method, status, {})
            raise XimilarUnavailable(f"Ximilar's answer to {method} (HTTP {status}) is not a JSON object")
        if not isinstance(body.get("status"), dict):
            if status >= 400:
                raise self._refused(method, status, body)
            body = {**body, "status": {}}
        code = _code(body)
        if not code or code >= 500 or code == 429:
            raise XimilarUnavailable(f"Ximilar's answer to {method} has the status {code}: {_text(body)}")
        return body

    def _refused(self, method: str, code: int, body: Mapping[str, Any]) -> XimilarRefused:
        advice = {
            401: "check XIMILAR_API_TOKEN",
            403: "check XIMILAR_COLLECTION_ID and whether the token may use it",
            404: "check XIMILAR_COLLECTION_ID and XIMILAR_PREFIX, which must match the kind of collection",
        }.get(code, "check XIMILAR_COLLECTION_ID and XIMILAR_PREFIX")
        return XimilarRefused(f"Ximilar refused {method} with status {code} ({_text(body)}): {advice}")

    def _session(self) -> requests.Session:
        if not hasattr(self._sessions, "session"):
            self._sessions.session = requests.Session()
            self._sessions.session.trust_env = False
        return self._sessions.session


def _ten(records: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    if not 0 < len(records) <= RECORDS_A_REQUEST:
        raise ValueError(f"1 to {RECORDS_A_REQUEST} records a request, not {len(records)}")
    return list(records)


def _code(body: Mapping[str, Any]) -> int:
    """The status that counts; 0 where there is none."""
    code = body["status"].get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else 0


def _text(body: Mapping[str, Any]) -> str:
    status = body.get("status")
    said = status.get("text") if isinstance(status, dict) else None
    return str(said or body.get("detail") or "no reason given").strip()[:200]


def _skipped(body: Mapping[str, Any]) -> dict[str, str]:
    """The skipped records' ids, with the reason."""
    skipped = body.get("skipped_records")
    found = {}
    for one in skipped if isinstance(skipped, list) else []:
        if isinstance(one, dict) and isinstance(one.get("_id"), str):
            found[one["_id"]] = str(one.get("reason") or one.get("error") or "skipped")
    return found
