"""A client of Ximilar's collections: insert, update, delete, get, allRecords and ping, at most ten records a request.

`status.code` in the body counts, not the HTTP status; see docs/reference/external-services.md. An insert is never
repeated: if its response is lost, the stage finds out with `get` whether the records were inserted (and billed).
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from requests import RequestException

from unde_catalog.net.responses import parse_retry_after
from unde_catalog.text import duration

RECORDS_A_REQUEST = 10
_SECONDS = (10, 60)  # time-outs for connecting, and for each read of a response
_MAX_RESPONSE_BYTES = 5_000_000  # bytes
TRIES = 4  # of requests that may be repeated
_FIRST_WAIT, _MAX_WAIT = 1.0, 60.0  # seconds between tries; Retry-After takes precedence

FINE, PARTLY, INSERTED, SOME_INSERTED, DELETED = 200, 206, 210, 211, 220
BAD_REQUEST, NONE_FOUND, ALL_DUPLICATES, FULL = 400, 404, 411, 412

Record = Mapping[str, str]


class XimilarUnavailable(RuntimeError):
    """A request failed, or its response is invalid. A retry may succeed; the request may have been carried out."""


class XimilarPaused(XimilarUnavailable):
    """Ximilar asked for no requests for longer than a run waits."""


class XimilarRefused(RuntimeError):
    """Ximilar refused a request because of the token, the collection or the prefix. Nothing was carried out."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """The result of an insert: the ids that are in the collection now, and why others are not.

    `over_capacity`: ids that did not fit into the collection; they are not billed.
    """

    present: frozenset[str]
    failed: Mapping[str, str] = field(default_factory=dict)
    over_capacity: frozenset[str] = frozenset()


class Pace(Protocol):
    """Limits the rate of requests."""

    def wait(self) -> None:
        """Wait until a request may be sent."""

    def hold(self, seconds: float) -> None:
        """Send no request for this time."""


class LocalPace:
    """At most `per_second` requests a second over all threads of this process, evenly."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until a request may be sent."""
        with self._lock:
            slot = max(self._next, time.monotonic())
            self._next = slot + self._gap
        time.sleep(max(0.0, slot - time.monotonic()))

    def hold(self, seconds: float) -> None:
        """Send no request for this time, at most a minute."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + min(seconds, _MAX_WAIT))


class Ximilar:
    """One collection. The methods block, and are thread-safe."""

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
        """Insert up to ten records with `_id`, `_url` or `_base64`, and flat metadata. Each record is billed.

        The request is sent once. After `XimilarUnavailable` it is unknown which records were inserted.
        """
        ids = {record["_id"] for record in records}
        body = self._send("insert", {"records": _batch(records), "fields_to_return": ["_id"]})
        code = _code(body)
        skipped = _skipped(body)
        if code == FULL:
            return Inserted(frozenset(), over_capacity=frozenset(ids))
        if code in (FINE, INSERTED, ALL_DUPLICATES):
            return Inserted(frozenset(ids))
        if code in (SOME_INSERTED, PARTLY) or (code == BAD_REQUEST and ids <= skipped.keys()):
            reasons = {id: reason for id, reason in skipped.items() if id in ids and "duplicate" not in reason.lower()}
            over_capacity = frozenset(id for id, reason in reasons.items() if "full" in reason.lower())
            failed = {id: reason for id, reason in reasons.items() if id not in over_capacity}
            return Inserted(frozenset(ids - reasons.keys()), failed, over_capacity)
        raise self._refused("insert", code, body)

    def update(self, records: Sequence[Mapping[str, str]]) -> frozenset[str]:
        """Change metadata by `_id`; returns the ids that are not in the collection. Photos are not read again."""
        body = self._request("update", {"records": _batch(records)})
        code = _code(body)
        ids = {record["_id"] for record in records}
        if code in (FINE, INSERTED):
            return frozenset()
        if code == NONE_FOUND:
            return frozenset(ids)
        if code == PARTLY:
            return frozenset(_skipped(body).keys() & ids)
        raise self._refused("update", code, body)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete by `_id`; ids that are not in the collection are ignored."""
        body = self._request("delete", {"records": _batch([{"_id": id} for id in ids])})
        code = _code(body)
        if code not in (FINE, PARTLY, DELETED, NONE_FOUND):
            raise self._refused("delete", code, body)

    def get(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The records with these ids that are in the collection, by `_id`."""
        body = self._request("get", {"records": _batch([{"_id": id} for id in ids])})
        code = _code(body)
        if code == NONE_FOUND:
            return {}
        if code not in (FINE, PARTLY):
            raise self._refused("get", code, body)
        found = body.get("answer_records", body.get("records"))
        if not isinstance(found, list):
            raise XimilarUnavailable("Ximilar's response to get has no list of records")
        return {one["_id"]: one for one in found if isinstance(one, dict) and one.get("_id") in set(ids)}

    def has_record_at(self, position: int) -> bool:
        """Whether the collection's listing has a record at a position (from 1), and so at least that many records.

        The response has at most one record. No method of the API counts records.
        """
        return bool(self.page(position, 1, ["_id"]))

    def page(self, number: int, size: int, fields: Sequence[str]) -> list[dict[str, Any]]:
        """A page (from 1) of the collection's listing with these fields of each record; empty behind the last one."""
        body = self._request(f"allRecords?size={size}&page={number}", {"fields_to_return": list(fields)})
        code = _code(body)
        if code == NONE_FOUND:
            return []
        if code not in (FINE, PARTLY):
            raise self._refused("allRecords", code, body)
        found = body.get("answer_records", body.get("records"))
        if not isinstance(found, list):
            raise XimilarUnavailable("Ximilar's response to allRecords has no list of records")
        return [one for one in found if isinstance(one, dict)]

    def ping(self) -> dict[str, Any]:
        """The service's description of the collection."""
        body = self._request("ping", {})
        if _code(body) != FINE:
            raise self._refused("ping", _code(body), body)
        return body

    def _request(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request that may be repeated, and repeat it if it fails."""
        wait = _FIRST_WAIT
        for left in reversed(range(self._tries)):
            try:
                return self._send(method, body)
            except XimilarUnavailable as error:
                if not left or isinstance(error, XimilarPaused):
                    raise
                self._pace.hold(wait)
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
            ) as response:
                retry_after = response.headers.get("Retry-After", "")
                content = response.raw.read(_MAX_RESPONSE_BYTES + 1, decode_content=True)
                status = response.status_code
        except (RequestException, OSError) as error:
            raise XimilarUnavailable(f"Ximilar did not respond to {method}: {type(error).__name__}") from error
        except Exception as error:  # urllib3's own errors while the body is read
            if type(error).__module__.partition(".")[0] != "urllib3":
                raise
            raise XimilarUnavailable(f"Ximilar's response to {method} broke off: {type(error).__name__}") from error
        return self._parse(method, status, retry_after, content)

    def _parse(self, method: str, status: int, retry_after: str, content: bytes) -> dict[str, Any]:
        if status == 429 or status >= 500:
            message = f"Ximilar responded to {method} with HTTP status {status}"
            if (seconds := parse_retry_after(retry_after, time.time())) is not None:
                self._pace.hold(seconds)
                message += f" and asked for no requests for {duration(seconds)}"
                if seconds > _MAX_WAIT:
                    raise XimilarPaused(message)
            raise XimilarUnavailable(message)
        if len(content) > _MAX_RESPONSE_BYTES:
            raise XimilarUnavailable(f"Ximilar's response to {method} is longer than {_MAX_RESPONSE_BYTES} bytes")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            if 400 <= status < 500:  # an unknown path, or a gateway refused the request
                raise self._refused(method, status, {})
            raise XimilarUnavailable(f"Ximilar's response to {method} (HTTP status {status}) is not a JSON object")
        if not isinstance(body.get("status"), dict):
            if status >= 400:
                raise self._refused(method, status, body)
            body = {**body, "status": {}}
        code = _code(body)
        if not code or code >= 500 or code == 429:
            raise XimilarUnavailable(f"Ximilar's response to {method} has status {code}: {_text(body)}")
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


def _batch(records: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    if not 0 < len(records) <= RECORDS_A_REQUEST:
        raise ValueError(f"expected 1 to {RECORDS_A_REQUEST} records in a request, got {len(records)}")
    return list(records)


def _code(body: Mapping[str, Any]) -> int:
    """The status code in a body; 0 if there is none."""
    code = body["status"].get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else 0


def _text(body: Mapping[str, Any]) -> str:
    status = body.get("status")
    text = status.get("text") if isinstance(status, dict) else None
    return str(text or body.get("detail") or "no reason").strip()[:200]


def _skipped(body: Mapping[str, Any]) -> dict[str, str]:
    """The reasons of skipped records by id."""
    skipped = body.get("skipped_records")
    found = {}
    for one in skipped if isinstance(skipped, list) else []:
        if isinstance(one, dict) and isinstance(one.get("_id"), str):
            found[one["_id"]] = str(one.get("reason") or one.get("error") or "skipped")
    return found
