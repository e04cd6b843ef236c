"""Gathers the numbers of the report from the staging database, and keeps today's for the days to come.

The queries are `staging/`'s; how it all is shown is not here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from unde_catalog import due_state
from unde_catalog.brands import BRANDS
from unde_catalog.pipeline import DUE_STAGES, STAGES
from unde_catalog.report.numbers import BrandReport, CatalogReport, Fresh, Freshness, Growth, Work
from unde_catalog.settings import Settings
from unde_catalog.staging import catalog_days, host_pace, pauses, report_numbers, report_runs, ximilar
from unde_catalog.staging.catalog_days import Day
from unde_catalog.staging.database import Database
from unde_catalog.staging.pauses import Paused
from unde_catalog.staging.report_numbers import Standing, Stored
from unde_catalog.staging.report_runs import Changes, LastRun
from unde_catalog.stock.needed import STAGE as AVAILABILITY

REASONS = 12  # shown; the others are in `status`
DAYS = 38  # a month, and a week of slack for what nobody looked at
_COUNT_AGAIN = timedelta(days=1)  # a big brand's objects
_BIG = 50_000  # products: those of a smaller brand are counted in half a second

# A stage whose last success is older than this is late, what is due in it only while something is due.
_LATE = {
    "raw_products": timedelta(days=8),
    "raw_stores": timedelta(days=2),
    "originals": timedelta(hours=2),
    "collages": timedelta(hours=2),
    "ximilar_index": timedelta(days=8),
    "availability": timedelta(hours=3),
    "production_catalog": timedelta(hours=3),
}
_ONLY_WHILE_DUE = ("originals", "collages", "ximilar_index")
_GOING = timedelta(hours=1)


def gather(db: Database, settings: Settings) -> CatalogReport:
    """The catalogue now; today's row of each brand in `catalog_days` is written."""
    now, standings = db.run(report_numbers.now), db.run(report_numbers.standings)
    held_up = db.run(pauses.all_pauses)
    failing, failing_products = db.run(report_numbers.failing, DUE_STAGES, list(BRANDS), REASONS)
    work = _work(db, now, held_up)
    last = db.run(report_runs.last_runs, STAGES, list(BRANDS))
    week, month = (db.run(report_runs.changes, timedelta(days=days)) for days in (7, 30))
    today, this_month = db.run(ximilar.credits_used)
    return CatalogReport(
        at=now,
        brands=[
            _brand(db, settings, key, now, standings.get(key, Standing()), week.get(key), month.get(key))
            for key in BRANDS
        ],
        stages=STAGES,
        freshness={key: _fresh(run, now, work, held_up) for key, run in last.items()},
        failing=failing,
        failing_products=failing_products,
        rejected=db.run(report_numbers.rejected, list(BRANDS)),
        work=work,
        pauses=held_up,
        slow_hosts=[one for one in db.run(host_pace.states) if one.pause > 0],
        credits_today=today,
        credits_month=this_month,
        credits_budget=settings.ximilar_monthly_credits,
        database_bytes=db.run(report_numbers.database_bytes),
    )


def _brand(
    db: Database,
    settings: Settings,
    key: str,
    now: datetime,
    standing: Standing,
    week: Changes | None,
    month: Changes | None,
) -> BrandReport:
    known = db.run(catalog_days.days, key, DAYS)
    stored, counted_at = _stored(db, key, now, standing, known)
    db.run(catalog_days.record, key, standing, stored, counted_at)
    known = db.run(catalog_days.days, key, DAYS)
    today = known[-1].day
    growth = Growth(
        catalog_days.ago(known, today, 7), catalog_days.ago(known, today, 30), known, week or Changes(),
        month or Changes(),
    )  # fmt: skip
    interval = due_state.recurring(settings).get((key, AVAILABILITY))
    # An unchanged answer is written down again once an hour, at the first check after it.
    age = 2 * interval + timedelta(hours=1) if interval is not None else None
    stock = db.run(report_numbers.stock, key, age) if age is not None else None
    return BrandReport(key, BRANDS[key].name, standing, stored, counted_at, stock, growth)


def _stored(
    db: Database, brand: str, now: datetime, standing: Standing, known: Sequence[Day]
) -> tuple[Stored, datetime]:
    """A brand's objects and when they were counted: a small brand's now, a big one's once a day."""
    big = standing.active + standing.inactive > _BIG
    if big and known and now - known[-1].counted_at < _COUNT_AGAIN:
        return known[-1].stored, known[-1].counted_at
    return db.run(report_numbers.stored, brand), now


def _work(db: Database, now: datetime, held_up: Sequence[Paused]) -> list[Work]:
    due = db.run(report_numbers.due, DUE_STAGES, list(BRANDS))
    rates = db.run(report_runs.rates, [(one.stage, one.brand) for one in due])
    found = []
    for one in due:
        rate = rates.get((one.stage, one.brand))
        going = one.in_hand > 0 or (rate is not None and now - rate.ended_at < _GOING)
        paused = pauses.why_paused(held_up, one.stage, one.brand) is not None
        per_second = rate.per_second if rate is not None else 0.0
        found.append(Work(one.stage, one.brand, one.products, one.in_hand, per_second, going, paused))
    return found


def _fresh(run: LastRun, now: datetime, work: Sequence[Work], held_up: Sequence[Paused]) -> Fresh:
    return Fresh(run.stage, run.brand, run.succeeded_at, _state(run, now, work, held_up), run.said)


def _state(run: LastRun, now: datetime, work: Sequence[Work], held_up: Sequence[Paused]) -> Freshness:
    is_due = any((one.stage, one.brand) == (run.stage, run.brand) for one in work)
    if pauses.why_paused(held_up, run.stage, run.brand) is not None:
        return "paused"
    if run.failed:
        return "failing"
    if run.said.startswith("not configured"):
        return "not configured"
    if run.succeeded_at is None:
        return "late" if is_due else "never"
    if now - run.succeeded_at > _LATE[run.stage] and (is_due or run.stage not in _ONLY_WHILE_DUE):
        return "late"
    return "fine"


def counted(report: CatalogReport) -> Mapping[str, int]:
    """The numbers that are worth a curve, under the same names in every report."""
    shops = report.shops()
    return {
        **{name: report.total(name) for name in (*Standing.__slots__, *Stored.__slots__)},
        "in_stock": shops.in_stock,
        "due": sum(one.due for one in report.work),
        "failing": report.failing_products,
    }
