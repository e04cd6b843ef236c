"""JSON bodies of Ximilar's collections: statuses, records, skipped records. No HTTP and no state belong here.

Where the real service's behaviour is unconfirmed, the sandbox has the one that costs a careless client most. Such
places are marked "unconfirmed".
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Outcome = Literal["inserted", "duplicate", "full", "failed"]

OK, PARTLY, INSERTED, SOME_INSERTED, DELETED = 200, 206, 210, 211, 220
BAD_REQUEST, NONE_FOUND, ALL_DUPLICATES, FULL = 400, 404, 411, 412
_TEXTS = {
    OK: "OK",
    PARTLY: "Some of the records were not processed",
    INSERTED: "All records were inserted",
    SOME_INSERTED: "Some of the records were inserted, duplicates were skipped",
    DELETED: "Records were deleted",
    BAD_REQUEST: "None of the records could be processed",
    401: "Authentication credentials were not provided or are not valid",
    NONE_FOUND: "No record was found",
    ALL_DUPLICATES: "All records are duplicates",
    FULL: "The collection is full",
    429: "Too many requests",
}
REASONS: dict[Outcome, str] = {
    "duplicate": "duplicate: a record with this _id is already in the collection",
    "full": "the collection is full",
}
NO_RECORD = "no record with this _id is in the collection"


def status_body(code: int, text: str = "", **fields: Any) -> dict[str, Any]:
    """Returns a body with these fields and `status`, whose code decides."""
    text = text or _TEXTS.get(code, "Internal error")
    return {**fields, "status": {"code": code, "text": text, "request_id": uuid.uuid4().hex}}


def records_body(
    code: int, records: Sequence[dict[str, Any]], skipped: Sequence[tuple[str, str]] = (), **more: Any
) -> dict[str, Any]:
    """Returns a body with records and, if there are any, the ids and reasons of skipped ones."""
    fields = {"answer_records": list(records), "answer_count": len(records), **more}
    if skipped:
        fields["skipped_records"] = [{"_id": id_, "reason": reason} for id_, reason in skipped]
    return status_body(code, **fields)


def select_fields(record: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Returns the requested fields that a record has."""
    return {name: record[name] for name in fields if name in record}


def insert_code(outcomes: Sequence[Outcome]) -> int:
    """Returns the status code of an insert.

    206: the collection became full, and the records up to that point went in; 412: no record went in. 400: every
    record failed by itself (no image at its URL); the body names each of them.
    """
    distinct = set(outcomes)
    if "full" in distinct:
        return PARTLY if "inserted" in distinct else FULL
    if "failed" in distinct:
        return PARTLY if distinct - {"failed"} else BAD_REQUEST
    if distinct == {"duplicate"}:
        return ALL_DUPLICATES
    return SOME_INSERTED if "duplicate" in distinct else INSERTED


def found_code(found: int, missing: int, all_found: int = OK) -> int:
    """Returns the status code of an update, get or delete: all, some or none of the records exist."""
    if not found:
        return NONE_FOUND
    return PARTLY if missing else all_found


def http_status(code: int) -> int:
    """Returns the HTTP status for a body's code: 200 or 201, unless the whole request is refused."""
    if code in (INSERTED, SOME_INSERTED):
        return 201
    return code if code in (BAD_REQUEST, 401, 403) else 200
