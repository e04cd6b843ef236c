"""The report as Markdown for Dagster's UI: tables and the funnel as an image, small enough for an event.

The UI removes raw HTML. Untrusted text is written in code spans, in which nothing has a meaning.
"""

import re
from collections.abc import Iterable, Sequence

from unde_catalog.operations.report.attention import Note, headline, notes
from unde_catalog.operations.report.chart import funnel_chart
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.sections import Cell, Section, sections
from unde_catalog.operations.report.words import count, moment

MAX_MARKDOWN = 50_000  # characters; Dagster's event log stores it
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&:@-])")
_MAX_NOTES = 10


def markdown(report: CatalogReport) -> str:
    """The whole report, at most `MAX_MARKDOWN` characters."""
    found = notes(report)
    parts = [f"**{_plain(headline(report, found))}** As of {moment(report.at)}."]
    if found:
        lines = [_note(note) for note in found[:_MAX_NOTES]]
        if len(found) > _MAX_NOTES:
            lines.append(f"- {count(len(found) - _MAX_NOTES)} more are on the page")
        parts.append("\n".join(lines))
    if report.total("active"):
        parts.append(funnel_chart(report))
    parts += [_section(section) for section in sections(report)]
    return _limited(parts)


def _note(note: Note) -> str:
    quote = f" {_code(note.quote)}" if note.quote else ""
    return f"- {'**Failing.** ' if note.level == 'bad' else ''}{_plain(note.sentence)}.{quote}"


def _section(section: Section) -> str:
    heading = f"### {_plain(section.title)}\n\n"
    if not section.rows:
        return heading + _plain(section.empty)
    rule = "|---|" + ("---:|" if section.numeric else "---|") * (len(section.columns) - 1)
    rows = [*section.rows, *([section.total] if section.total else [])]
    head = [f"{heading}{_plain(section.about)}\n", _line(map(_plain, section.columns)), rule]
    return "\n".join([*head, *(_line(map(_cell, row)) for row in rows)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    pieces = [_plain(cell.text), *map(_code, cell.quotes)]
    if cell.note:
        pieces.append(_plain(f"({cell.note})"))
    pieces.append(_code(cell.detail))
    text = " ".join(filter(None, pieces))
    return f"**{text}**" if cell.tone == "bad" and text else text


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """A code span; backticks and pipes are replaced, because a pipe ends a table's cell even there."""
    return f"`{text.replace('`', chr(0x2019)).replace('|', chr(0xA6))}`" if text else ""


def _limited(parts: Sequence[str]) -> str:
    """As many whole parts as there is room for."""
    text = ""
    for part in parts:
        if len(text) + len(part) + 2 > MAX_MARKDOWN - 100:
            return text + "The rest is on the page.\n"
        text += part + "\n\n"
    return text
