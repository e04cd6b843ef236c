"""The report as one HTML page that needs nothing else: no script, font, picture or request to anybody.

What stands in its tables is `sections.py`'s, how it looks is `page.css`.
"""

from collections.abc import Sequence
from pathlib import Path

from unde_catalog.operations.report.attention import Note, headline, notes
from unde_catalog.operations.report.html import Markup, element, joined
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.sections import Cell, Section, sections
from unde_catalog.operations.report.words import count, moment, share, size

_MANY = 6  # columns: with more a table is as wide as it has to be, and scrolls on a phone
_LINE_WIDTH, _LINE_HEIGHT = 80, 16
_STYLE = Path(__file__).with_name("page.css")
# Should a name ever get through as HTML, a browser still asks nobody for anything and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: CatalogReport) -> str:
    """The whole document."""
    found = notes(report)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex"),
        element("title", f"Catalogue, {moment(report.at)}"),
        element("style", Markup(_STYLE.read_text())),
    )
    body = element(
        "body",
        element("header", _heading(report, found), _figures(report)),
        element("main", _attention(found), *(_section(one) for one in sections(report)), _limits(report)),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _heading(report: CatalogReport, found: Sequence[Note]) -> Markup:
    at = element("time", moment(report.at), datetime=report.at.isoformat(timespec="seconds"))
    return joined(
        element("h1", "Catalogue"),
        element("p", f"{headline(report, found)} ", element("span", "As of ", at, ".", class_="quiet"), class_="state"),
    )


def _figures(report: CatalogReport) -> Markup:
    active, shops = report.total("active"), report.shops()
    shown = [
        ("Products", count(active), f"{count(report.total('inactive'))} no longer on sale"),
        ("Photographed", share(report.total("photographed"), active) or "–", f"{count(report.total('photos'))} photos"),
        ("Published", share(report.total("published"), active) or "–", f"{count(report.total('published'))} products"),
        ("In stock", share(shops.in_stock, shops.checked) or "–", f"{count(shops.checked)} checked"),
        ("Due now", count(sum(one.due for one in report.work)), f"{count(report.failing_products)} fail"),
    ]
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value, element("small", under)))
            for name, value, under in shown
        ),
        class_="figures",
    )


def _attention(found: Sequence[Note]) -> Markup | None:
    if not found:
        return None
    lines = [
        element(
            "li",
            element("strong", "Failing: ", class_="bad") if one.weight == "bad" else None,
            f"{one.sentence}.",
            element("span", one.said, class_="said") if one.said else None,
            class_=one.weight,
        )
        for one in found
    ]
    return element("section", element("h2", "To look at"), element("ul", *lines, class_="notes"))


def _section(one: Section) -> Markup:
    if not one.rows:
        return element("section", element("h2", one.title), element("p", one.empty, class_="quiet"))
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in one.columns)))
    rows = [_row(row) for row in one.rows]
    foot = element("tfoot", _row(one.total)) if one.total else None
    table = element(
        "table",
        element("caption", element("span", one.about)),
        head,
        element("tbody", *rows),
        foot,
        class_=" ".join(["numbers" if one.numeric else "words", *(["wide"] if len(one.columns) > _MANY else [])]),
    )
    # The box scrolls, not the page; it can be reached by keyboard and has a name.
    box = element("div", table, class_="box", tabindex="0", role="region", aria_label=one.title)
    return element("section", element("h2", one.title), box)


def _row(cells: Sequence[Cell]) -> Markup:
    first, *others = cells
    return element("tr", element("th", _content(first), scope="row"), *(_cell(one) for one in others))


def _cell(cell: Cell) -> Markup:
    return element("td", _content(cell), class_=cell.tone or None)


def _content(cell: Cell) -> Markup:
    return joined(
        cell.text or None,
        *(element("span", one, class_="foreign") for one in cell.foreign),
        element("small", cell.under) if cell.under else None,
        element("small", cell.said, class_="said") if cell.said else None,
        _bar(cell.bar) if cell.bar is not None else None,
        _line(cell.line) if len(set(cell.line)) > 1 else None,
    )


def _bar(part: float) -> Markup:
    return element("span", element("span", style=f"width:{100 * min(part, 1):.1f}%"), class_="bar", aria_hidden="true")


def _line(values: Sequence[int]) -> Markup:
    least, most = min(values), max(values)
    points = [
        f"{n * _LINE_WIDTH / (len(values) - 1):.1f},{_LINE_HEIGHT * (1 - (one - least) / (most - least)) + 1:.1f}"
        for n, one in enumerate(values)
    ]
    curve = element("polyline", points=" ".join(points))
    return element("svg", curve, viewBox=f"0 0 {_LINE_WIDTH} {_LINE_HEIGHT + 2}", class_="line", aria_hidden="true")


def _limits(report: CatalogReport) -> Markup:
    used, budget = report.credits_month, report.credits_budget
    of_budget = f", {share(used, budget)} of {count(budget)}" if used and budget else f" of {count(budget)}"
    oldest = min((one.counted_at for one in report.brands), default=report.at)
    counted = "" if (report.at - oldest).total_seconds() < 60 else f", counted by {moment(oldest)}"
    shown = [
        ("Ximilar credits this month", f"{count(used)}{of_budget}; {count(report.credits_today)} today"),
        ("Objects", f"{size(report.total('bytes'))} in {count(report.total('photos'))} photos and "
                    f"{count(report.total('collages'))} collages{counted}"),
        ("Staging database", size(report.database_bytes)),
    ]  # fmt: skip
    return element(
        "section",
        element("h2", "Limits and room"),
        element("dl", *(joined(element("dt", name), element("dd", value)) for name, value in shown), class_="limits"),
    )
