"""What of the report somebody should look at, in sentences, the most urgent first; nothing is decided by them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from unde_catalog.operations.report.numbers import CatalogReport, StageFreshness
from unde_catalog.operations.report.words import ago, count, harmless, share, stage_name
from unde_catalog.stores.staging.due_work.pauses import ALL
from unde_catalog.text import duration, quantity

_FEW_CREDITS = 0.9  # of the budget are used
_LONGEST = 240  # characters of what a run or an operator said


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence of ours, and what somebody else said about it ("" for nothing), which is not to be trusted as text."""

    weight: Literal["bad", "warn"]
    sentence: str
    said: str = ""


def notes(report: CatalogReport) -> list[Note]:
    """All of them; empty where nothing needs a look."""
    return [*_failing(report), *_late(report), *_pauses(report), *_hosts(report), *_given_up(report), *_credits(report)]


def _failing(report: CatalogReport) -> Iterator[Note]:
    for one in report.freshness.values():
        if one.state == "failing":
            since = f"; the last success was {ago(one.succeeded_at, report.at)}" if one.succeeded_at else ""
            yield Note("bad", f"{_of(report, one)}: the last run failed{since}", harmless(one.said, _LONGEST))


def _late(report: CatalogReport) -> Iterator[Note]:
    for stage in report.stages:
        late = [one for one in report.freshness.values() if one.stage == stage and one.state == "late"]
        if late:
            names = ", ".join(f"{report.name_of(one.brand)} ({ago(one.succeeded_at, report.at)})" for one in late)
            yield Note("warn", f"{stage_name(stage)}: no success lately for {names}")


def _pauses(report: CatalogReport) -> Iterator[Note]:
    for one in report.pauses:
        stage = "everything" if one.stage == ALL else stage_name(one.stage).lower()
        brand = "all brands" if one.brand == ALL else report.name_of(one.brand)
        sentence = f"Paused {ago(one.paused_at, report.at)}: {stage} of {brand}"
        yield Note("warn", sentence, harmless(one.why, _LONGEST))


def _hosts(report: CatalogReport) -> Iterator[Note]:
    for one in report.slow_hosts:
        since = f" for {duration((report.at - one.slowed_at).total_seconds())}" if one.slowed_at else ""
        yield Note(
            "warn",
            f"A host has been asked more slowly{since}, {one.pause:.1f} s between two requests",
            harmless(f"{one.host}: {one.reason or 'no reason is known'}", _LONGEST),
        )


def _given_up(report: CatalogReport) -> Iterator[Note]:
    given_up = sum(one.given_up for one in report.failing)
    if given_up:
        were = "was" if given_up == 1 else "were"
        yield Note("warn", f"{quantity(given_up, 'product')} {were} given up; the reasons are below")


def _credits(report: CatalogReport) -> Iterator[Note]:
    used, budget = report.credits_month, report.credits_budget
    if budget and used >= _FEW_CREDITS * budget:
        yield Note("warn", f"{share(used, budget)} of this month's {count(budget)} Ximilar credits are used")


def _of(report: CatalogReport, one: StageFreshness) -> str:
    return f"{stage_name(one.stage)} of {report.name_of(one.brand)}"


def headline(report: CatalogReport, found: Sequence[Note]) -> str:
    """The state in a few words."""
    if not report.total("active"):
        return "Nothing is collected yet."
    if not found:
        return "All is well."
    worst = sum(one.weight == "bad" for one in found)
    return f"{quantity(len(found), 'thing')} to look at" + (f", {worst} of them failing." if worst else ".")
