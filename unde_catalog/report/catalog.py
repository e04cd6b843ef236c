"""Makes the report: gathers it, renders it, and puts the page where others can read it."""

from dataclasses import dataclass

from unde_catalog.report.gather import gather
from unde_catalog.report.markdown import markdown
from unde_catalog.report.numbers import CatalogReport
from unde_catalog.report.page import page
from unde_catalog.workplace import Workplace

KEY = "reports/catalog.html"  # as public as photos are: no secret is ever in it


@dataclass(frozen=True, slots=True)
class Made:
    """A report, its page and its Markdown."""

    report: CatalogReport
    page: str
    markdown: str


def make(place: Workplace) -> Made:
    """The report as of now; `StagingDown` where the database can't be used."""
    report = gather(place.db, place.settings)
    return Made(report, page(report), markdown(report))


def store(place: Workplace, made: Made) -> str:
    """Put the page into the object store; its public address. `StorageDown` where that can't be used."""
    place.store.put(KEY, made.page.encode(), "text/html; charset=utf-8")
    return place.store.public_url(KEY)
