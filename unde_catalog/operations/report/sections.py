"""The tables of the report, for any way of showing them: what stands in which cell, and what is worth a colour.

HTML is `page.py`'s and Markdown `markdown.py`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from unde_catalog.operations.report.numbers import BrandReport, CatalogReport, StageFreshness
from unde_catalog.operations.report.words import ago, change, count, done_in, harmless, rate, share, size, stage_name
from unde_catalog.stores.staging.reports.totals import FailingProducts

Tone = Literal["", "quiet", "good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says; `under` is a smaller second line, `bar` a share (0 to 1) to draw.

    `line` is a curve to draw. `foreign` are somebody else's words, pieces that are shown apart, and `said` a smaller
    line of such.
    """

    text: str = ""
    under: str = ""
    tone: Tone = ""
    bar: float | None = None
    line: Sequence[int] = ()
    foreign: Sequence[str] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence about it, and a table whose first column names its rows; `empty` stands for no rows.

    `numeric`: the columns from the second on are numbers.
    """

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""
    numeric: bool = True
    total: Sequence[Cell] = field(default=())


def sections(report: CatalogReport) -> list[Section]:
    """All tables, in the order in which they are read."""
    return [funnel(report), work(report), failures(report), freshness(report), shops(report), growth(report)]


def funnel(report: CatalogReport) -> Section:
    """How far the products of each brand have come."""

    def row(name: str, of: dict[str, int]) -> list[Cell]:
        active = of["active"]
        indexed = (
            Cell(count(of["indexed"]), share(of["indexed"], of["wanted"]), bar=_part(of["indexed"], of["wanted"]))
            if of["wanted"]
            else Cell("–", tone="quiet")
        )
        steps = [Cell(count(of[step]), share(of[step], active), bar=_part(of[step], active))
                 for step in ("photographed", "glued", "published")]  # fmt: skip
        return [Cell(name), Cell(count(active)), steps[0], steps[1], indexed, steps[2]]

    names = ("active", "photographed", "glued", "wanted", "indexed", "published")
    return Section(
        "Funnel",
        "Products on sale, and how many of them are through each step; indexed is of those that are to be in Ximilar.",
        ("Brand", "Collected", "Photographed", "Glued", "Indexed", "Published"),
        [row(one.name, {name: getattr(one.standing, name) for name in names}) for one in report.brands],
        total=row("All", {name: report.total(name) for name in names}),
    )


def work(report: CatalogReport) -> Section:
    """What is due, and when it will be done."""
    rows = []
    for one in report.work:
        tone: Tone = "quiet" if one.paused else "" if one.going and one.seconds is not None else "warn"
        rows.append(
            [
                Cell(stage_name(one.stage), report.name_of(one.brand)),
                Cell(count(one.due)),
                Cell(done_in(one.seconds, going=one.going, paused=one.paused), tone=tone),
                Cell(rate(one.per_second)),
                Cell(count(one.in_hand) if one.in_hand else "–", tone="" if one.in_hand else "quiet"),
            ]
        )
    return Section(
        "Due now",
        "Products that wait for a stage; the rate is that of its last runs.",
        ("Stage and brand", "Due", "Done", "Rate", "In hand"),
        rows,
        empty="Nothing is due.",
    )


def failures(report: CatalogReport) -> Section:
    """Why products fail, most frequent reasons first."""
    shown = [*report.failing, *report.rejected]
    listed = sum(one.products for one in report.failing)
    rest = report.failing_products - listed
    more = f" {count(rest)} more fail for reasons that are rarer." if rest > 0 else ""
    return Section(
        "Failures",
        f"Products that wait for another try or were given up, and items that the last scrape could not read.{more}",
        ("Stage and brand", "Products", "Given up", "Reason", "For example"),
        [_failure(report, one) for one in shown],
        empty="No product fails.",
        numeric=False,
    )


def _failure(report: CatalogReport, one: FailingProducts) -> list[Cell]:
    examples = [f"{harmless(id, 40)} {harmless(name, 40)}" if name else harmless(id, 40) for id, name in one.examples]
    rejected = one.stage == "raw_products"
    return [
        Cell(stage_name(one.stage), report.name_of(one.brand)),
        Cell(count(one.products)),
        Cell("rejected" if rejected else count(one.given_up), tone="" if one.given_up or rejected else "quiet"),
        Cell(foreign=[harmless(one.reason)], said=harmless(one.detail or "", 120)),
        Cell(foreign=examples),
    ]


_TONES: dict[str, Tone] = {"fine": "", "late": "warn", "failing": "bad", "paused": "warn"}


def freshness(report: CatalogReport) -> Section:
    """When each stage last succeeded, by brand."""

    def cell(one: StageFreshness) -> Cell:
        if one.state in ("not configured", "no shops", "never"):
            return Cell(one.state, tone="quiet")
        return Cell(
            ago(one.succeeded_at, report.at), "" if one.state == "fine" else one.state, _TONES.get(one.state, "quiet")
        )

    return Section(
        "Freshness",
        "When each stage last succeeded.",
        ("Brand", *map(stage_name, report.stages)),
        [
            [Cell(brand.name), *(cell(report.freshness[stage, brand.key]) for stage in report.stages)]
            for brand in report.brands
        ],
    )


def shops(report: CatalogReport) -> Section:
    """What the shops have of each brand."""
    rows = []
    for one in report.brands:
        if (stock := one.stock) is None:
            rows.append(
                [
                    Cell(one.name),
                    Cell("not configured" if one.has_stores else "no shops", tone="quiet"),
                    *[Cell("–", tone="quiet")] * 3,
                ]
            )
            continue
        part = share(stock.in_stock, stock.checked)
        rows.append(
            [
                Cell(one.name),
                Cell(f"{count(stock.heard)} of {count(stock.shops)}"),
                Cell(count(stock.checked), share(stock.checked, one.standing.active)),
                Cell(count(stock.in_stock), part, bar=_part(stock.in_stock, stock.checked)),
                Cell(count(max(one.standing.active - stock.checked, 0)), tone="quiet"),
            ]
        )
    return Section(
        "Shops",
        "Shops that answered lately, of those that are known; products by the latest answers of these shops.",
        ("Brand", "Shops", "Checked", "In stock", "Not known"),
        rows,
    )


def growth(report: CatalogReport) -> Section:
    """Each brand against a week and a month ago."""

    def row(one: BrandReport) -> list[Cell]:
        of = one.growth
        products = [day.standing.active if day else None for day in (of.week_ago, of.month_ago)]
        photos = [day.stored.photos if day else None for day in (of.week_ago, of.month_ago)]
        return [
            Cell(one.name),
            Cell(count(one.standing.active), line=[day.standing.active for day in of.days]),
            *(Cell(change(one.standing.active, before)) for before in products),
            Cell(count(one.stored.photos)),
            *(Cell(change(one.stored.photos, before)) for before in photos),
            Cell(count(of.week.new), f"{count(of.month.new)} in 30 days"),
            Cell(count(of.week.vanished), f"{count(of.month.vanished)} in 30 days"),
            Cell(size(one.stored.bytes)),
        ]

    return Section(
        "Growth",
        "Against 7 and 30 days ago; a dash where nobody looked then. New and gone are what scrapes found in 7 days.",
        (
            "Brand", "Products", "Products, 7 days", "Products, 30 days", "Photos", "Photos, 7 days", "Photos, 30 days",
            "New", "Gone", "Stored",
        ),
        [row(one) for one in report.brands],
    )  # fmt: skip


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None
