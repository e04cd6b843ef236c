"""Fixtures of tests that want a database."""

from collections.abc import Iterator

import pytest

from unde_catalog.staging.database import Database
from unde_catalog_tests.servers import Server


@pytest.fixture
def each_url(each_server: Server) -> Iterator[str]:
    """A migrated database of this test's own, on each PostgreSQL that the SQL has to run on."""
    url = each_server.new_database()
    yield url
    each_server.drop(url)


@pytest.fixture
def each_db(each_url: str) -> Iterator[Database]:
    with Database(each_url) as database:
        yield database
