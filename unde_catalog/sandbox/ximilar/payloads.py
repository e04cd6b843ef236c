"""The JSON of Ximilar's collections (spec 6): statuses, records, skipped records. No HTTP and no state here.

Where spec 6 does not tell, what is played is what costs a careless client most; each such choice says so.
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


def answer(code: int, text: str = "", **fields: Any) -> dict[str, Any]:
    """A whole body: the fields, and the `status` that counts."""
    said = text or _TEXTS.get(code, "Internal error")
    return {**fields, "status": {"code": code, "text": said, "request_id": uuid.uuid4().hex}}


def answered(
    code: int, records: Sequence[dict[str, Any]], skipped: Sequence[tuple[str, str]] = (), **more: Any
) -> dict[str, Any]:
    """A body with records and, where there are any, the ids of the skipped ones with the reason of each."""
    fields = {"answer_records": list(records), "answer_count": len(records), **more}
    if skipped:
        fields["skipped_records"] = [{"_id": id_, "reason": reason} for id_, reason in skipped]
    return answer(code, **fields)


def shown(record: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """A record as it is answered: the fields that were asked for and that it has."""
    return {name: record[name] for name in fields if name in record}


def insert_code(outcomes: Sequence[Outcome]) -> int:
    """The status of an insert.

    What still finds room goes in, in order, and the answer is 206; 412 means that nothing went in. Records that all
    fail by themselves (no image at the address) make a 400 that names each of them.
    """
    some = set(outcomes)
    if "full" in some:
        return PARTLY if "inserted" in some else FULL
    if "failed" in some:
        return PARTLY if some - {"failed"} else BAD_REQUEST
    if some == {"duplicate"}:
        return ALL_DUPLICATES
    return SOME_INSERTED if "duplicate" in some else INSERTED


def found_code(found: int, missing: int, all_found: int = OK) -> int:
    """The status of an update, get or delete: all, some or none of the records were there."""
    if not found:
        return NONE_FOUND
    return PARTLY if missing else all_found


def http_status(code: int) -> int:
    """HTTP's status beside the body's: 200 or 201 whatever the body says, but for what is refused as a whole."""
    if code in (INSERTED, SOME_INSERTED):
        return 201
    return code if code in (BAD_REQUEST, 401, 403) else 200
