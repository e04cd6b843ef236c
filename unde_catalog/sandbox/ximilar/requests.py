"""Parsing and validation of requests to Ximilar. Work and responses do not belong here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_RECORDS = 10


class BadRequestError(ValueError):
    """The request is invalid; the message says why."""


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """An authorized request: its collection, its JSON object and its query."""

    collection: str
    body: dict[str, Any]
    query: Mapping[str, str]

    @property
    def first_id(self) -> str:
        """The `_id` of the first record, even of an invalid request; empty if there is none."""
        match self.body.get("records"):
            case [{"_id": str(id_)}, *_]:
                return id_
        return ""

    @property
    def fields_to_return(self) -> list[str]:
        """The names of the fields in the response: `_id` by default (unconfirmed)."""
        fields = self.body.get("fields_to_return", ["_id"])
        if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
            raise BadRequestError("fields_to_return must be a list of names")
        return fields

    def records(self, *, need_ids: bool = True) -> list[dict[str, Any]]:
        """Returns the 1 to 10 records, each an object with an `_id` if `need_ids`."""
        records = self.body.get("records")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise BadRequestError("records must be a list of objects")
        if not 0 < len(records) <= MAX_RECORDS:
            raise BadRequestError(f"A request must have 1 to {MAX_RECORDS} records, not {len(records)}")
        for record in records:
            id_ = record.get("_id")
            if not (isinstance(id_, str) and id_) and (need_ids or "_id" in record):
                raise BadRequestError("Each record must have an _id that is a string")
        return records

    def number(self, name: str, default: int) -> int:
        """Returns a parameter of the query that is a number of at least 0."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadRequestError(f"{name} must be a number of at least 0")
        return int(text)


def json_object(body: bytes) -> dict[str, Any]:
    """Parses the body of a request; an empty body is an empty object."""
    try:
        parsed: Any = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise BadRequestError("The request body is not a JSON object")
    return parsed


def metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record's own fields and its `_url`; raises `BadRequestError` if a value is not flat."""
    fields = {name: value for name, value in record.items() if name == "_url" or not name.startswith("_")}
    for name, value in fields.items():
        if isinstance(value, dict | list):
            raise BadRequestError(f"The metadata of {record.get('_id', 'a record')} is not flat: {name}")
    return fields
