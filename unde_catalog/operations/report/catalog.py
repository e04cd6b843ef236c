"""Builds the report: gathers its numbers, renders it, and stores the page where others can read it."""

import hashlib
import hmac
from dataclasses import dataclass

from unde_catalog.backends import Backends
from unde_catalog.operations.report.gather import gather
from unde_catalog.operations.report.markdown import markdown
from unde_catalog.operations.report.numbers import CatalogReport
from unde_catalog.operations.report.page import page
from unde_catalog.settings.environment import Settings


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """A report, its HTML page and its Markdown."""

    report: CatalogReport
    page: str
    markdown: str


def build(backends: Backends) -> RenderedReport:
    """The report as of now; `DatabaseUnavailable` where the database cannot be used."""
    report = gather(backends.db, backends.settings)
    return RenderedReport(report, page(report), markdown(report))


def key_of(settings: Settings) -> str:
    """The object key of the page. In a bucket, anybody can read an object by its key, so this one is secret.

    The key changes only with the secret key of the bucket.
    """
    if settings.s3 is None:
        return "reports/catalog.html"
    secret = settings.s3.secret_key.get_secret_value().encode()
    return f"reports/catalog-{hmac.new(secret, b'catalog_report', hashlib.sha256).hexdigest()[:32]}.html"


def store(backends: Backends, rendered: RenderedReport) -> str:
    """Put the page into the object store and return its URL; `StorageUnavailable` where that cannot be used."""
    key = key_of(backends.settings)
    backends.store.put(key, rendered.page.encode(), "text/html; charset=utf-8")
    return backends.store.public_url(key)
