"""Ximilar's collections as far as our clients need them (spec 6), on top of `records.py`.

What its JSON looks like is `payloads.py`; only routes, checks of what was asked, and the bill are here.

Its lines in the request log are written when the work is done, whether or not the answer gets through, and also hold

    collection, code              the collection, and the status code in the body of the answer
    ids                           what the request named, in order
    inserted, duplicates, failed  of an insert: the ids by outcome (failed: no readable photo, or no room)
    billed                        of an insert: one a record, duplicates and failures too [?]; none for want of room
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
from unde_catalog.sandbox.ximilar import payloads as shapes
from unde_catalog.sandbox.ximilar.payloads import Outcome
from unde_catalog.sandbox.ximilar.photos import PhotoReader, UnreadablePhotoError
from unde_catalog.sandbox.ximilar.records import NewRecord, XimilarStore
from unde_catalog.sandbox.ximilar.requests import Asked, BadRequestError, json_object, metadata

_MOST_NEIGHBOURS = 1000


@dataclass(frozen=True, slots=True)
class _Done:
    """The body of an answer, and what else the log tells of it."""

    body: dict[str, Any]
    noted: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class XimilarApi:
    """The routes below `/similarity`."""

    store: XimilarStore
    photos: PhotoReader
    faults: Faults
    log: RequestLog

    def routes(self) -> list[web.RouteDef]:
        """Every method below the prefix of every kind of collection; the rest does not exist."""
        methods: dict[str, Callable[[Asked], Awaitable[_Done]]] = {
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

    def _handler(self, kind: str, name: str, method: Callable[[Asked], Awaitable[_Done]]) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[KIND] = f"ximilar.{name}"
            refusal = self._refusal(kind, request)
            if refusal is not None:
                return _response(refusal)
            collection = request.headers["collection-id"]
            try:
                asked = Asked(collection, json_object(await request.read()), request.query)
            except BadRequestError as error:
                return _response(shapes.answer(400, str(error)))

            async def work(_: web.Request) -> web.StreamResponse:
                try:
                    done = await method(asked)
                except BadRequestError as error:
                    done = _Done(shapes.answer(400, str(error)))
                response = _response(done.body)
                code = done.body["status"]["code"]
                self.log.work_done(request, response, {"collection": collection, "code": code, **done.noted})
                await asyncio.sleep(self.store.terms.delay)
                return response

            # All inserts have one path: which of them a fault strikes depends on the first record.
            return await self.faults.around(request[KIND], request, work, f"{request.path} {asked.first_id}")

        return handle

    def _refusal(self, kind: str, request: web.Request) -> dict[str, Any] | None:
        """Why this request gets no further than the gate."""
        if request.headers.get("Authorization") != f"Token {self.store.terms.token}":
            return shapes.answer(401)
        collection = request.headers.get("collection-id")
        if not collection:
            return shapes.answer(400, "The header collection-id is missing")
        if collection not in XIMILAR_COLLECTIONS:
            # Not 404, which would read like "no record was found" [?].
            return shapes.answer(403, f"There is no collection {collection} that this token may use")
        actual = XIMILAR_COLLECTIONS[collection]
        if actual != kind:
            return shapes.answer(
                400, f"The collection is of type {actual}, which /similarity/{kind}/v2/ does not serve"
            )
        return None

    async def _insert(self, asked: Asked) -> _Done:
        fields = asked.fields_to_return
        records = [{"_id": uuid.uuid4().hex, **record} for record in asked.records(need_ids=False)]
        ids = [record["_id"] for record in records]
        seen = await asyncio.gather(*(self._candidate(asked.collection, record) for record in records))
        fates = iter(self.store.insert(asked.collection, [one for one in seen if isinstance(one, NewRecord)]))
        outcomes: list[Outcome] = [next(fates) if isinstance(one, NewRecord) else "failed" for one in seen]
        ids_by: dict[Outcome, list[str]] = {"inserted": [], "duplicate": [], "full": [], "failed": []}
        skipped: list[tuple[str, str]] = []
        for id_, outcome, one in zip(ids, outcomes, seen, strict=True):
            ids_by[outcome].append(id_)
            if outcome != "inserted":
                skipped.append((id_, one if isinstance(one, str) else shapes.REASONS[outcome]))
        noted = {
            "ids": ids,
            "inserted": ids_by["inserted"],
            "duplicates": ids_by["duplicate"],
            "failed": ids_by["failed"] + ids_by["full"],
            "billed": len(ids) - len(ids_by["full"]),
        }
        shown = [shapes.shown(self.store.get(asked.collection, id_) or {}, fields) for id_ in ids_by["inserted"]]
        return _Done(shapes.answered(shapes.insert_code(outcomes), shown, skipped), noted)

    async def _candidate(self, collection: str, record: dict[str, Any]) -> NewRecord | str:
        """The record with its photo looked at, or why it can't go in; the photo of a duplicate is not looked at."""
        try:
            fields = metadata(record)
            duplicate = self.store.get(collection, record["_id"]) is not None
            return NewRecord(record["_id"], fields, b"" if duplicate else await self.photos.look(record))
        except (BadRequestError, UnreadablePhotoError) as error:
            return str(error)

    async def _update(self, asked: Asked) -> _Done:
        """Metadata only: a new `_url` is written down, and the photo there is never looked at."""
        changes = [(record, metadata(record)) for record in asked.records()]
        there = [self.store.update(asked.collection, record["_id"], fields) for record, fields in changes]
        return _by_presence([record["_id"] for record, _ in changes], there)

    async def _delete(self, asked: Asked) -> _Done:
        ids = [record["_id"] for record in asked.records()]
        there = [self.store.delete(asked.collection, id_) for id_ in ids]
        return _by_presence(ids, there, shapes.DELETED)

    async def _get(self, asked: Asked) -> _Done:
        ids, fields = [record["_id"] for record in asked.records()], asked.fields_to_return
        records = [self.store.get(asked.collection, id_) for id_ in ids]
        shown = [shapes.shown(record, fields) for record in records if record is not None]
        return _by_presence(ids, [record is not None for record in records], shown=shown)

    async def _ping(self, asked: Asked) -> _Done:
        kind = XIMILAR_COLLECTIONS[asked.collection]
        collection = {"id": asked.collection, "name": f"Sandbox {kind}", "type": kind}
        return _Done(shapes.answer(shapes.OK, collection=collection))

    async def _all_records(self, asked: Asked) -> _Done:
        """A page of the collection in the order it grew; `answer_count` counts this page [?]."""
        size, page = asked.number("size", 0), asked.number("page", 1)
        fields = asked.fields_to_return
        records = self.store.page(asked.collection, size, max(page, 1))
        return _Done(shapes.answered(shapes.OK, [shapes.shown(record, fields) for record in records]))

    async def _nearest(self, asked: Asked) -> _Done:
        """The records whose photos have the most similar colours: crude, and honest about what is there."""
        query, k = asked.body.get("query_record"), asked.body.get("k", 5)
        if not isinstance(query, dict) or type(k) is not int or not 0 < k <= _MOST_NEIGHBOURS:
            raise BadRequestError(f"query_record must be an object and k a number from 1 to {_MOST_NEIGHBOURS}")
        if "filter" in asked.body:
            raise BadRequestError("The sandbox plays no filter")
        if isinstance(query.get("_id"), str):
            look = self.store.look(asked.collection, query["_id"])
        else:
            try:
                look = await self.photos.look(query)
            except UnreadablePhotoError as error:
                raise BadRequestError(str(error)) from error
        if look is None:
            return _Done(shapes.answered(shapes.NONE_FOUND, []))
        if not look:
            raise BadRequestError("The sandbox can't decode HEIC, so it does not know what the photo looks like")
        nearest = self.store.nearest(asked.collection, look, k)
        shown = [shapes.shown(record, asked.fields_to_return) for _, record in nearest]
        return _Done(shapes.answered(shapes.OK, shown, answer_distances=[distance for distance, _ in nearest]))

    async def _unknown(self, request: web.Request) -> web.Response:
        request[KIND] = "ximilar.other"
        return web.json_response({"detail": "Not found."}, status=404)


def _response(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, status=shapes.http_status(body["status"]["code"]))


def _by_presence(
    ids: list[str], there: list[bool], all_found: int = shapes.OK, shown: list[dict[str, Any]] | None = None
) -> _Done:
    """The answer to a request about records that are there or not; it shows the ids of those that are, or `shown`."""
    found = [id_ for id_, is_there in zip(ids, there, strict=True) if is_there]
    missing = [id_ for id_, is_there in zip(ids, there, strict=True) if not is_there]
    code = shapes.found_code(len(found), len(missing), all_found)
    records = [{"_id": id_} for id_ in found] if shown is None else shown
    body = shapes.answered(code, records, [(id_, shapes.NO_RECORD) for id_ in missing])
    return _Done(body, {"ids": ids, "found": found, "missing": missing})
