"""What in the report needs attention, as sentences, the most urgent first. No code decides by them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from unde_catalog.operations.report.numbers import CatalogReport, StageFreshness
from unde_catalog.operations.report.words import ago, count, one_line, share, stage_name
from unde_catalog.stores.staging.due_work.pauses import ALL
from unde_catalog.text import duration, quantity

_CREDITS_SHARE = 0.9  # of the budget; from here on it is mentioned
_QUOTE_LIMIT = 240  # characters of what a run or an operator wrote


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, and a quote of what somebody else wrote about it ("" for none); the quote is untrusted text."""

    level: Literal["bad", "warn"]
    sentence: str
    quote: str = ""


def notes(report: CatalogReport) -> list[Note]:
    """All of them; empty where nothing needs attention."""
    return [*_failing(report), *_late(report), *_pauses(report), *_hosts(report), *_given_up(report), *_credits(report)]


def headline(report: CatalogReport, found: Sequence[Note]) -> str:
    """The state in one sentence."""
    if not report.total("active"):
        return "No product has been collected yet."
    if not found:
        return "Everything works."
    failing = sum(note.level == "bad" for note in found)
    needs = "needs" if len(found) == 1 else "need"
    return f"{quantity(len(found), 'thing')} {needs} attention" + (f", {failing} of them failing." if failing else ".")


def _failing(report: CatalogReport) -> Iterator[Note]:
    for one in report.freshness.values():
        if one.state == "failing":
            since = f"; it last succeeded {ago(one.succeeded_at, report.at)}" if one.succeeded_at else ""
            yield Note("bad", f"{_name(report, one)}: the last run failed{since}", one_line(one.message, _QUOTE_LIMIT))


def _late(report: CatalogReport) -> Iterator[Note]:
    for stage in report.stages:
        late = [one for one in report.freshness.values() if one.stage == stage and one.state == "late"]
        if late:
            names = ", ".join(f"{report.name_of(one.brand)} ({ago(one.succeeded_at, report.at)})" for one in late)
            yield Note("warn", f"{stage_name(stage)}: the last success is too long ago for {names}")


def _pauses(report: CatalogReport) -> Iterator[Note]:
    for pause in report.pauses:
        stage = "every stage" if pause.stage == ALL else stage_name(pause.stage).lower()
        brand = "all brands" if pause.brand == ALL else report.name_of(pause.brand)
        sentence = f"Paused {ago(pause.paused_at, report.at)}: {stage} of {brand}"
        yield Note("warn", sentence, one_line(pause.why, _QUOTE_LIMIT))


def _hosts(report: CatalogReport) -> Iterator[Note]:
    for host in report.slow_hosts:
        since = f" for {duration(report.at - host.slowed_at)}" if host.slowed_at else ""
        yield Note(
            "warn",
            f"A host has been throttled{since}: one request every {host.pause:.1f} s",
            one_line(f"{host.host}: {host.reason or 'no reason was recorded'}", _QUOTE_LIMIT),
        )


def _given_up(report: CatalogReport) -> Iterator[Note]:
    given_up = sum(one.given_up for one in report.failing)
    if given_up:
        were = "was" if given_up == 1 else "were"
        yield Note("warn", f"{quantity(given_up, 'product')} {were} given up; the table Failures has the reasons")


def _credits(report: CatalogReport) -> Iterator[Note]:
    used, budget = report.credits_month, report.credits_budget
    if budget and used >= _CREDITS_SHARE * budget:
        yield Note("warn", f"{share(used, budget)} of this month's {count(budget)} Ximilar credits are used")


def _name(report: CatalogReport, one: StageFreshness) -> str:
    return f"{stage_name(one.stage)} of {report.name_of(one.brand)}"
