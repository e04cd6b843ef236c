"""Renders the report's Jinja2 templates. Autoescaping is on for all of them, whatever their file names.

What the templates show is decided in `page.py`, `sections.py` and `attention.py`.
"""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from unde_catalog.operations.report import words

_LINE_WIDTH, _LINE_HEIGHT = 80, 16


def render(name: str, **values: object) -> str:
    """The template `templates/<name>` with these values, each of them escaped."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    loader = PackageLoader("unde_catalog.operations.report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"count": words.count, "moment": words.moment, "points": _points}
    return environment


def _points(values: Sequence[int]) -> str:
    """The points of a polyline through these values; "" where they are all the same."""
    lowest, highest = min(values, default=0), max(values, default=0)
    if lowest == highest:
        return ""
    return " ".join(
        f"{n * _LINE_WIDTH / (len(values) - 1):.1f},"
        f"{_LINE_HEIGHT * (1 - (value - lowest) / (highest - lowest)) + 1:.1f}"
        for n, value in enumerate(values)
    )
