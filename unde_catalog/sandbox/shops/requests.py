"""What was asked of a shop, read and checked. Nothing is looked up and nothing answered here."""

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web


class BadRequestError(ValueError):
    """What was asked can't be understood; the message says why."""


def numbers(request: web.Request, name: str, *, commas: bool = False) -> list[int]:
    """The whole numbers of a parameter that is there once or more often; with `commas`, several in one, too."""
    values: Iterable[str] = request.query.getall(name, [])
    if commas:
        values = [part for value in values for part in value.split(",")]
    read = [_whole(name, value) for value in values]
    if not read:
        raise BadRequestError(f"{name} is missing")
    return list(dict.fromkeys(read))


def one_number(request: web.Request, name: str) -> int:
    """The whole number of a parameter."""
    return _whole(name, _given(request, name))


def coordinate(request: web.Request, name: str, most: float) -> float:
    """A number of degrees or kilometres, from -most to most."""
    try:
        read = float(_given(request, name))
    except ValueError as error:
        raise BadRequestError(f"{name} is not a number") from error
    if not -most <= read <= most:
        raise BadRequestError(f"{name} must be from {-most:g} to {most:g}")
    return read


def exactly(request: web.Request, name: str, wanted: str) -> None:
    """Refuses a request in which a parameter is not what it must be."""
    if _given(request, name) != wanted:
        raise BadRequestError(f"{name} must be {wanted}")


def number_lists(body: bytes, *names: str) -> list[list[int]]:
    """Lists of whole numbers, none empty, by name from a JSON object."""
    try:
        read: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON") from error
    found = []
    for name in names:
        listed = read.get(name) if isinstance(read, dict) else None
        if not isinstance(listed, list) or not listed or not all(type(one) is int for one in listed):
            raise BadRequestError(f"{name} must be a list of whole numbers")
        found.append(list(dict.fromkeys(listed)))
    return found


def _given(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise BadRequestError(f"{name} is missing")
    return value


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequestError(f"{name} must be a whole number")
    return int(text)
