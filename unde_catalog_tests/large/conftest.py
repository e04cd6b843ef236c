"""Fixtures of the large tests."""

import psycopg
import pytest

from unde_catalog_tests.support.servers import Server


@pytest.fixture
def direct(server: Server, database_url: str) -> str:
    """The test's database past any pooler, as the administrator; commits wait for no disk, as in production."""
    url = server.direct_url(database_url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off".encode())
    return url
