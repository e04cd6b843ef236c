"""Parsing and validation of requests to the stock APIs. Lookups and responses do not belong here."""

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web


class BadRequestError(ValueError):
    """The request is invalid; the message says why."""


def whole_numbers(request: web.Request, name: str, *, commas: bool = False) -> list[int]:
    """Parses the whole numbers of a parameter that may be repeated; with `commas`, a value may have several."""
    values: Iterable[str] = request.query.getall(name, [])
    if commas:
        values = [part for value in values for part in value.split(",")]
    parsed = [_parse_whole_number(name, value) for value in values]
    if not parsed:
        raise BadRequestError(f"{name} is missing")
    return list(dict.fromkeys(parsed))


def whole_number(request: web.Request, name: str) -> int:
    """Parses a parameter that is a whole number."""
    return _parse_whole_number(name, _required(request, name))


def coordinate(request: web.Request, name: str, limit: float) -> float:
    """Parses a number of degrees or kilometres from -limit to limit."""
    try:
        number = float(_required(request, name))
    except ValueError as error:
        raise BadRequestError(f"{name} is not a number") from error
    if not -limit <= number <= limit:
        raise BadRequestError(f"{name} must be from {-limit:g} to {limit:g}")
    return number


def require_value(request: web.Request, name: str, value: str) -> None:
    """Raises `BadRequestError` if a parameter has another value."""
    if _required(request, name) != value:
        raise BadRequestError(f"{name} must be {value}")


def whole_number_lists(body: bytes, *names: str) -> list[list[int]]:
    """Parses the named fields of a JSON object, each a non-empty list of whole numbers."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON") from error
    lists = []
    for name in names:
        values = parsed.get(name) if isinstance(parsed, dict) else None
        if not isinstance(values, list) or not values or not all(type(value) is int for value in values):
            raise BadRequestError(f"{name} must be a list of whole numbers")
        lists.append(list(dict.fromkeys(values)))
    return lists


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise BadRequestError(f"{name} is missing")
    return value


def _parse_whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequestError(f"{name} must be a whole number")
    return int(text)
