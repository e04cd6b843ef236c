"""The funnel as an SVG image of a few kilobytes that Markdown carries inside; drawn by `templates/funnel.svg`."""

import base64
from dataclasses import dataclass

from unde_catalog.operations.report import words
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.rendering import render
from unde_catalog.operations.report.sections import FUNNEL_STEPS
from unde_catalog.operations.report.words import count

_PADDING, _ROW_HEIGHT, _BAR_WIDTH = 16, 26, 450


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    part: int
    whole: int
    share: str

    @property
    def width(self) -> float:
        return _BAR_WIDTH * min(self.part / self.whole, 1) if self.whole else 0.0


def funnel_chart(report: CatalogReport) -> str:
    """Markdown of an image: all brands together, one bar for each step."""
    active, to_index = report.total("active"), report.total("to_index")
    bars = [_Bar("Collected", active, active, "")]
    for field, name in FUNNEL_STEPS.items():
        part, whole = report.total(field), to_index if field == "indexed" else active
        if field != "indexed" or to_index:
            bars.append(_Bar(name, part, whole, words.share(part, whole)))
    svg = render("funnel.svg", bars=bars, height=2 * _PADDING + _ROW_HEIGHT * len(bars))
    alt = ", ".join(f"{bar.name} {count(bar.part)} of {count(bar.whole)}" for bar in bars)
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
