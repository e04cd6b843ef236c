"""The report as Markdown, as Dagster's UI shows it: tables and the funnel as a picture, small enough for an event.

Raw HTML is stripped there. Somebody else's words stand in code spans, in which nothing has a meaning.
"""

import re
from collections.abc import Sequence

from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.chart import funnel_chart
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.sections import Cell, Section, sections
from unde_catalog.operations.report.words import count, moment

MAX_MARKDOWN = 50_000  # characters: it is kept in Dagster's event log
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&:@-])")
_MOST_NOTES = 10


def markdown(report: CatalogReport) -> str:
    """All of it; at most `MAX_MARKDOWN` characters."""
    found = notes(report)
    parts = [f"**{_plain(headline(report, found))}** As of {moment(report.at)}."]
    if found:
        lines = [
            f"- {'**Failing.** ' if one.weight == 'bad' else ''}{_plain(one.sentence)}."
            + (f" {_code(one.said)}" if one.said else "")
            for one in found[:_MOST_NOTES]
        ]
        if len(found) > _MOST_NOTES:
            lines.append(f"- and {count(len(found) - _MOST_NOTES)} more, on the page")
        parts.append("\n".join(lines))
    if report.total("active"):
        parts.append(funnel_chart(report))
    parts += [_section(one) for one in sections(report)]
    return _within(parts)


def _section(one: Section) -> str:
    heading = f"### {_plain(one.title)}\n\n"
    if not one.rows:
        return heading + _plain(one.empty)
    rule = "|---|" + ("---:|" if one.numeric else "---|") * (len(one.columns) - 1)
    rows = [*one.rows, *([one.total] if one.total else [])]
    return "\n".join(
        [
            f"{heading}{_plain(one.about)}\n",
            _line(map(_plain, one.columns)),
            rule,
            *(_line(map(_cell, r)) for r in rows),
        ]
    )


def _line(cells: "Sequence[str] | map[str]") -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    pieces = [_plain(cell.text) if cell.text else "", *map(_code, cell.foreign)]
    if cell.under:
        pieces.append(_plain(f"({cell.under})"))
    if cell.said:
        pieces.append(_code(cell.said))
    told = " ".join(piece for piece in pieces if piece)
    return f"**{told}**" if cell.tone == "bad" and told else told


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """A code span; a pipe would end a table's cell even there."""
    return f"`{text.replace('`', chr(0x2019)).replace('|', chr(0xA6))}`" if text else ""


def _within(parts: Sequence[str]) -> str:
    """Whole parts, as many as there is room for."""
    told = ""
    for one in parts:
        if len(told) + len(one) + 2 > MAX_MARKDOWN - 100:
            return told + "The rest is on the page.\n"
        told += one + "\n\n"
    return told
