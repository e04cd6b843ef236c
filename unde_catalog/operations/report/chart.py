"""The funnel as a picture that Markdown carries inside: an SVG of a few kilobytes, on paper of its own.

Dagster's theme need not be that of the system, so the picture does not follow either.
"""

import base64

from unde_catalog.operations.report.html import Markup, element
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.words import count, share

_STEPS = ("photographed", "glued", "indexed", "published")
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 720, 120, 150, 26, 16
_PAPER, _INK, _QUIET, _RAIL, _BAR = "#ffffff", "#1c2024", "#5b636b", "#e9edf0", "#3d6fa5"


def funnel_chart(report: CatalogReport) -> str:
    """Markdown of an image: of all brands together, a bar a step."""
    active, wanted = report.total("active"), report.total("wanted")
    rows = [("Collected", active, active)]
    rows += [
        (step.capitalize(), report.total(step), wanted if step == "indexed" else active)
        for step in _STEPS
        if step != "indexed" or wanted
    ]
    height = _TOP * 2 + _ROW * len(rows)
    drawn = [_row(n, *row) for n, row in enumerate(rows)]
    svg = element(
        "svg",
        element("rect", width=str(_WIDTH), height=str(height), rx="6", fill=_PAPER),
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=str(_WIDTH),
        height=str(height),
        font_family="system-ui, sans-serif",
        font_size="13",
    )
    alt = ", ".join(f"{name} {count(part)} of {count(whole)}" for name, part, whole in rows)
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _row(n: int, name: str, part: int, whole: int) -> Markup:
    room, middle = _WIDTH - _LEFT - _RIGHT, _TOP + n * _ROW + _ROW // 2
    filled = room * min(part / whole, 1) if whole else 0.0

    def bar(width: float, fill: str) -> Markup:
        return element("rect", x=str(_LEFT), y=str(middle - 5), width=f"{width:.1f}", height="10", fill=fill)

    return element(
        "g",
        element("text", name, x=str(_LEFT - 12), y=str(middle + 4), text_anchor="end", fill=_QUIET),
        bar(room, _RAIL),
        bar(filled, _BAR),
        element("text", count(part), x=str(_WIDTH - _RIGHT + 82), y=str(middle + 4), text_anchor="end", fill=_INK),
        element(
            "text",
            share(part, whole) if n else "",
            x=str(_WIDTH - 16),
            y=str(middle + 4),
            text_anchor="end",
            fill=_QUIET,
        ),
    )
