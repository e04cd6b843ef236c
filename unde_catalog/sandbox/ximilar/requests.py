"""What was asked of the sandbox's Ximilar, read and checked. Nothing is done and nothing answered here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_RECORDS = 10


class BadRequestError(ValueError):
    """What was asked can't be understood; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that passed the gate: its collection, its JSON object and its query."""

    collection: str
    body: dict[str, Any]
    query: Mapping[str, str]

    @property
    def first_id(self) -> str:
        """The `_id` of the first record, whatever else is wrong; empty if there is none."""
        match self.body.get("records"):
            case [{"_id": str(id_)}, *_]:
                return id_
        return ""

    @property
    def fields_to_return(self) -> list[str]:
        """The names of the fields to answer with: `_id` alone unless others are asked for [?]."""
        fields = self.body.get("fields_to_return", ["_id"])
        if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
            raise BadRequestError("fields_to_return must be a list of names")
        return fields

    def records(self, *, need_ids: bool = True) -> list[dict[str, Any]]:
        """The 1 to 10 records, each an object with an `_id` where one is needed."""
        records = self.body.get("records")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise BadRequestError("records must be a list of objects")
        if not 0 < len(records) <= MOST_RECORDS:
            raise BadRequestError(f"A request takes 1 to {MOST_RECORDS} records, not {len(records)}")
        for record in records:
            id_ = record.get("_id")
            if not (isinstance(id_, str) and id_) and (need_ids or "_id" in record):
                raise BadRequestError("Each record must have an _id that is a text")
        return records

    def number(self, name: str, default: int) -> int:
        """A number of the query, at least 0."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadRequestError(f"{name} must be a number of at least 0")
        return int(text)


def json_object(body: bytes) -> dict[str, Any]:
    """The body of a request; none at all is an empty object."""
    try:
        read: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON") from error
    if not isinstance(read, dict):
        raise BadRequestError("The request body is not a JSON object")
    return read


def metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's own fields and its `_url`; `BadRequestError` when one is not flat."""
    kept = {name: value for name, value in record.items() if name == "_url" or not name.startswith("_")}
    for name, value in kept.items():
        if isinstance(value, dict | list):
            raise BadRequestError(f"The metadata of {record.get('_id', 'a record')} is not flat: {name}")
    return kept
