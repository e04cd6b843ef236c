"""Ximilar's collections as far as the clients use them: routes, authorization and billing.

JSON bodies belong in `payloads.py`, storage in `records.py`.

Entries in the request log are written when the work is done, whether or not the response arrives. They also have

    collection, code              the collection, and the status code in the response body
    ids                           the ids in the request, in order
    inserted, duplicates, failed  of an insert: the ids by outcome (failed: unreadable photo, or collection full)
    billed                        of an insert: 1 per record, also for duplicates (unconfirmed) and failures, but 0 for
                                  a record that found the collection full
    found, missing                of an update, delete or get: the ids by outcome
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from unde_catalog.sandbox.faults import Faults
from unde_catalog.sandbox.identity import XIMILAR_COLLECTIONS
from unde_catalog.sandbox.request_log import KIND, RequestLog
from unde_catalog.sandbox.ximilar import payloads
from unde_catalog.sandbox.ximilar.payloads import Outcome
from unde_catalog.sandbox.ximilar.photos import PhotoReader, UnreadablePhotoError
from unde_catalog.sandbox.ximilar.records import NewRecord, XimilarStore
from unde_catalog.sandbox.ximilar.requests import BadRequestError, CollectionRequest, json_object, metadata

_MAX_NEIGHBOURS = 1000


@dataclass(frozen=True, slots=True)
class _Result:
    """A response body, and details for the request log."""

    body: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class XimilarApi:
    """The routes below `/similarity`."""

    store: XimilarStore
    photos: PhotoReader
    faults: Faults
    log: RequestLog

    def routes(self) -> list[web.RouteDef]:
        """Returns a route for every method and kind of collection; anything else is 404."""
        methods: dict[str, Callable[[CollectionRequest], Awaitable[_Result]]] = {
            "insert": self._insert,
            "update": self._update,
            "delete": self._delete,
            "get": self._get,
            "ping": self._ping,
            "allRecords": self._all_records,
            "visualKNN": self._nearest,
        }
        return [
            *(
                web.post(f"/similarity/{kind}/v2/{name}", self._handler(kind, name, method))
                for kind in XIMILAR_COLLECTIONS.values()
                for name, method in methods.items()
            ),
            web.route("*", "/similarity/{rest:.*}", self._unknown),
        ]

    def _handler(self, kind: str, name: str, method: Callable[[CollectionRequest], Awaitable[_Result]]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = f"ximilar.{name}"
            error_body = self._access_error(kind, request)
            if error_body is not None:
                return _response(error_body)
            collection = request.headers["collection-id"]
            try:
                parsed = CollectionRequest(collection, json_object(await request.read()), request.query)
            except BadRequestError as error:
                return _response(payloads.status_body(400, str(error)))

            async def respond(_: web.Request) -> web.StreamResponse:
                try:
                    result = await method(parsed)
                except BadRequestError as error:
                    result = _Result(payloads.status_body(400, str(error)))
                response = _response(result.body)
                code = result.body["status"]["code"]
                self.log.write_now(request, response, {"collection": collection, "code": code, **result.details})
                await asyncio.sleep(self.store.overrides.delay)
                return response

            # All inserts have the same path, so fault rules go by the first record.
            return await self.faults.around(request[KIND], request, respond, f"{request.path} {parsed.first_id}")

        return handle

    def _access_error(self, kind: str, request: web.Request) -> dict[str, Any] | None:
        """Returns an error body if the token or the collection is wrong."""
        if request.headers.get("Authorization") != f"Token {self.store.overrides.token}":
            return payloads.status_body(401)
        collection = request.headers.get("collection-id")
        if not collection:
            return payloads.status_body(400, "The header collection-id is missing")
        if collection not in XIMILAR_COLLECTIONS:
            # Not 404, which would mean "no record was found" (unconfirmed).
            return payloads.status_body(403, f"There is no collection {collection} that this token may use")
        actual = XIMILAR_COLLECTIONS[collection]
        if actual != kind:
            return payloads.status_body(
                400, f"The collection is of type {actual}, which /similarity/{kind}/v2/ does not serve"
            )
        return None

    async def _insert(self, request: CollectionRequest) -> _Result:
        collection, fields = request.collection, request.fields_to_return
        records = [{"_id": uuid.uuid4().hex, **record} for record in request.records(need_ids=False)]
        ids = [record["_id"] for record in records]
        checked = await asyncio.gather(*(self._check_record(collection, record) for record in records))
        stored = iter(self.store.insert(collection, [item for item in checked if isinstance(item, NewRecord)]))
        outcomes: list[Outcome] = [next(stored) if isinstance(item, NewRecord) else "failed" for item in checked]
        ids_by: dict[Outcome, list[str]] = {"inserted": [], "duplicate": [], "full": [], "failed": []}
        skipped: list[tuple[str, str]] = []
        for id_, outcome, item in zip(ids, outcomes, checked, strict=True):
            ids_by[outcome].append(id_)
            if outcome != "inserted":
                skipped.append((id_, item if isinstance(item, str) else payloads.REASONS[outcome]))
        details = {
            "ids": ids,
            "inserted": ids_by["inserted"],
            "duplicates": ids_by["duplicate"],
            "failed": ids_by["failed"] + ids_by["full"],
            "billed": len(ids) - len(ids_by["full"]),
        }
        inserted = [payloads.select_fields(self.store.get(collection, id_) or {}, fields) for id_ in ids_by["inserted"]]
        return _Result(payloads.records_body(payloads.insert_code(outcomes), inserted, skipped), details)

    async def _check_record(self, collection: str, record: dict[str, Any]) -> NewRecord | str:
        """Returns the record with its thumbnail, or why it is refused; a duplicate's photo is not read."""
        try:
            fields = metadata(record)
            duplicate = self.store.get(collection, record["_id"]) is not None
            return NewRecord(record["_id"], fields, b"" if duplicate else await self.photos.thumbnail(record))
        except (BadRequestError, UnreadablePhotoError) as error:
            return str(error)

    async def _update(self, request: CollectionRequest) -> _Result:
        """Updates metadata only: a new `_url` is stored, but its photo is not read."""
        changes = [(record, metadata(record)) for record in request.records()]
        exists = [self.store.update(request.collection, record["_id"], fields) for record, fields in changes]
        return _result_by_presence([record["_id"] for record, _ in changes], exists)

    async def _delete(self, request: CollectionRequest) -> _Result:
        ids = [record["_id"] for record in request.records()]
        exists = [self.store.delete(request.collection, id_) for id_ in ids]
        return _result_by_presence(ids, exists, payloads.DELETED)

    async def _get(self, request: CollectionRequest) -> _Result:
        ids, fields = [record["_id"] for record in request.records()], request.fields_to_return
        records = [self.store.get(request.collection, id_) for id_ in ids]
        found = [payloads.select_fields(record, fields) for record in records if record is not None]
        return _result_by_presence(ids, [record is not None for record in records], records=found)

    async def _ping(self, request: CollectionRequest) -> _Result:
        kind = XIMILAR_COLLECTIONS[request.collection]
        collection = {"id": request.collection, "name": f"Sandbox {kind}", "type": kind}
        return _Result(payloads.status_body(payloads.OK, collection=collection))

    async def _all_records(self, request: CollectionRequest) -> _Result:
        """Returns a page of the collection in the order of insertion; `answer_count` is the page's (unconfirmed)."""
        size, page = request.number("size", 0), request.number("page", 1)
        fields = request.fields_to_return
        records = [
            payloads.select_fields(record, fields) for record in self.store.page(request.collection, size, max(page, 1))
        ]
        return _Result(payloads.records_body(payloads.OK, records))

    async def _nearest(self, request: CollectionRequest) -> _Result:
        """Returns the records whose photos have the most similar colours, a crude stand-in for visual search."""
        query, k = request.body.get("query_record"), request.body.get("k", 5)
        if not isinstance(query, dict) or type(k) is not int or not 0 < k <= _MAX_NEIGHBOURS:
            raise BadRequestError(f"query_record must be an object and k a number from 1 to {_MAX_NEIGHBOURS}")
        if "filter" in request.body:
            raise BadRequestError("The sandbox does not support filter")
        if isinstance(query.get("_id"), str):
            thumbnail = self.store.thumbnail(request.collection, query["_id"])
        else:
            try:
                thumbnail = await self.photos.thumbnail(query)
            except UnreadablePhotoError as error:
                raise BadRequestError(str(error)) from error
        if thumbnail is None:
            return _Result(payloads.records_body(payloads.NONE_FOUND, []))
        if not thumbnail:
            raise BadRequestError("The sandbox can't decode HEIC and can't compare such a photo")
        nearest = self.store.nearest(request.collection, thumbnail, k)
        records = [payloads.select_fields(record, request.fields_to_return) for _, record in nearest]
        distances = [distance for distance, _ in nearest]
        return _Result(payloads.records_body(payloads.OK, records, answer_distances=distances))

    async def _unknown(self, request: web.Request) -> web.Response:
        request[KIND] = "ximilar.other"
        return web.json_response({"detail": "Not found."}, status=404)


def _response(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=payloads.http_status(body["status"]["code"]))


def _result_by_presence(
    ids: list[str], exists: list[bool], all_found: int = payloads.OK, records: list[dict[str, Any]] | None = None
) -> _Result:
    """Returns the result of a request for records that may be missing; by default it has the ids of those found."""
    found = [id_ for id_, exist in zip(ids, exists, strict=True) if exist]
    missing = [id_ for id_, exist in zip(ids, exists, strict=True) if not exist]
    code = payloads.found_code(len(found), len(missing), all_found)
    records = [{"_id": id_} for id_ in found] if records is None else records
    body = payloads.records_body(code, records, [(id_, payloads.NO_RECORD) for id_ in missing])
    return _Result(body, {"ids": ids, "found": found, "missing": missing})
