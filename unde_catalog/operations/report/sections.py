"""The tables of the report, independent of their format: the text of each cell, and what gets a colour.

HTML is written by `page.py`, Markdown by `markdown.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from unde_catalog.operations.report.numbers import BrandReport, CatalogReport, StageFreshness
from unde_catalog.operations.report.words import (
    ago,
    change,
    count,
    expected_end,
    one_line,
    rate,
    share,
    size,
    stage_name,
)
from unde_catalog.stores.staging.reports.totals import FailingProducts

Tone = Literal["", "quiet", "warn", "bad"]

# The steps of the funnel after collecting: a field of `BrandTotals`, and its name.
FUNNEL_STEPS: Mapping[str, str] = {
    "photographed": "Photos stored",
    "with_collage": "Collage made",
    "indexed": "In Ximilar",
    "published": "Published",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, a smaller second line (`note`), a share from 0 to 1 drawn as a bar, numbers drawn as a curve.

    `quotes` are untrusted texts, each shown apart; `detail` is a smaller line of untrusted text.
    """

    text: str = ""
    note: str = ""
    tone: Tone = ""
    bar: float | None = None
    line: Sequence[int] = ()
    quotes: Sequence[str] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence about it, and a table whose first column names its rows; `empty` replaces an empty table.

    `numeric`: all columns but the first contain numbers.
    """

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""
    numeric: bool = True
    total: Sequence[Cell] = ()


_NONE = Cell("–", tone="quiet")


def sections(report: CatalogReport) -> list[Section]:
    """All tables, in the order in which they are read."""
    return [funnel(report), work(report), failures(report), freshness(report), stores(report), growth(report)]


def funnel(report: CatalogReport) -> Section:
    """How far the products of each brand have come."""

    def row(name: str, totals: Mapping[str, int]) -> list[Cell]:
        cells = [Cell(name), Cell(count(totals["active"]))]
        for step in FUNNEL_STEPS:
            part, whole = totals[step], totals["to_index" if step == "indexed" else "active"]
            if step == "indexed" and not whole:
                cells.append(_NONE)
            else:
                cells.append(Cell(count(part), share(part, whole), bar=_fraction(part, whole)))
        return cells

    names = ("active", "to_index", *FUNNEL_STEPS)
    return Section(
        "Funnel",
        "Products on sale, and how many of them have completed each step. For Ximilar, the share is that of the "
        "products selected for it.",
        ("Brand", "Collected", *FUNNEL_STEPS.values()),
        [row(brand.name, {name: getattr(brand.totals, name) for name in names}) for brand in report.brands],
        total=row("All", {name: report.total(name) for name in names}),
    )


def work(report: CatalogReport) -> Section:
    """What is due, and when it will be done."""
    rows = []
    for one in report.work:
        tone: Tone = "quiet" if one.paused else "" if one.active and one.seconds is not None else "warn"
        rows.append(
            [
                Cell(stage_name(one.stage), report.name_of(one.brand)),
                Cell(count(one.due)),
                Cell(expected_end(one.seconds, active=one.active, paused=one.paused), tone=tone),
                Cell(rate(one.per_second)),
                Cell(count(one.leased)) if one.leased else _NONE,
            ]
        )
    return Section(
        "Due now",
        "Products that wait for a stage. The rate is that of the stage's last runs.",
        ("Stage and brand", "Due", "Done", "Rate", "Leased"),
        rows,
        empty="Nothing is due.",
    )


def failures(report: CatalogReport) -> Section:
    """Why products fail, the most frequent reasons first."""
    rest = report.failing_products - sum(one.products for one in report.failing)
    more = f" {count(rest)} more products fail for less frequent reasons." if rest > 0 else ""
    return Section(
        "Failures",
        "Products that wait for a retry or were given up, and items of the last scrape that were rejected." + more,
        ("Stage and brand", "Products", "Given up", "Reason", "Examples"),
        [_failure(report, one) for one in (*report.failing, *report.rejected)],
        empty="No product fails.",
        numeric=False,
    )


def _failure(report: CatalogReport, one: FailingProducts) -> list[Cell]:
    examples = [f"{one_line(id, 40)} {one_line(name, 40)}" if name else one_line(id, 40) for id, name in one.examples]
    rejected = one.stage == "raw_products"
    return [
        Cell(stage_name(one.stage), report.name_of(one.brand)),
        Cell(count(one.products)),
        Cell("rejected" if rejected else count(one.given_up), tone="" if one.given_up or rejected else "quiet"),
        Cell(quotes=[one_line(one.reason)], detail=one_line(one.detail or "", 120)),
        Cell(quotes=examples),
    ]


_TONES: Mapping[str, Tone] = {"fine": "", "late": "warn", "failing": "bad", "paused": "warn"}


def freshness(report: CatalogReport) -> Section:
    """When each stage last succeeded, by brand."""

    def cell(one: StageFreshness) -> Cell:
        if one.state in ("not configured", "no stores", "never"):
            return Cell(one.state, tone="quiet")
        note = "" if one.state == "fine" else one.state
        return Cell(ago(one.succeeded_at, report.at), note, _TONES.get(one.state, "quiet"))

    return Section(
        "Freshness",
        "When each stage last succeeded.",
        ("Brand", *map(stage_name, report.stages)),
        [
            [Cell(brand.name), *(cell(report.freshness[stage, brand.key]) for stage in report.stages)]
            for brand in report.brands
        ],
    )


def stores(report: CatalogReport) -> Section:
    """The stock of each brand in its stores."""
    rows = []
    for brand in report.brands:
        if (stock := brand.stock) is None:
            reason = Cell("not configured" if brand.has_stores else "no stores", tone="quiet")
            rows.append([Cell(brand.name), reason, _NONE, _NONE, _NONE])
            continue
        in_stock = share(stock.in_stock, stock.checked)
        rows.append(
            [
                Cell(brand.name),
                Cell(f"{count(stock.responding)} of {count(stock.stores)}"),
                Cell(count(stock.checked), share(stock.checked, brand.totals.active)),
                Cell(count(stock.in_stock), in_stock, bar=_fraction(stock.in_stock, stock.checked)),
                Cell(count(max(brand.totals.active - stock.checked, 0)), tone="quiet"),
            ]
        )
    return Section(
        "Stores",
        "Stores with a recent response, of all known stores; products by the latest responses of these stores.",
        ("Brand", "Stores", "Checked", "In stock", "Unknown"),
        rows,
    )


def growth(report: CatalogReport) -> Section:
    """Each brand compared with a week and a month ago."""

    def row(brand: BrandReport) -> list[Cell]:
        history = brand.growth
        former = (history.week_ago, history.month_ago)
        active, photos = brand.totals.active, brand.stored.photos
        return [
            Cell(brand.name),
            Cell(count(active), line=[day.totals.active for day in history.days]),
            *(Cell(change(active, day.totals.active if day else None)) for day in former),
            Cell(count(photos)),
            *(Cell(change(photos, day.stored.photos if day else None)) for day in former),
            Cell(count(history.week.new), f"{count(history.month.new)} in 30 days"),
            Cell(count(history.week.vanished), f"{count(history.month.vanished)} in 30 days"),
            Cell(size(brand.stored.bytes)),
        ]

    return Section(
        "Growth",
        "Changes within 7 and 30 days. A dash means that nothing was recorded then. New and gone are the products that "
        "scrapes found new or missing within 7 days.",
        (
            "Brand", "Products", "Products, 7 days", "Products, 30 days", "Photos", "Photos, 7 days", "Photos, 30 days",
            "New", "Gone", "Stored",
        ),
        [row(brand) for brand in report.brands],
    )  # fmt: skip


def _fraction(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
