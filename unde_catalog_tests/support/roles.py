"""Database roles in tests: log in as one, or assume one for a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog_tests.support.servers import Server

STAGE_OF = {"downloader": "originals", "collage": "collages", "ximilar": "ximilar_index"}
ROLES = ("apify", *STAGE_OF, "scraper")
_PASSWORD = "a role's own"


def url_as(server: Server, url: str, role: str) -> str:
    """The URL of a database for this role."""
    _give_password(server, role)
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{_PASSWORD.replace(' ', '%20')}@{parts.netloc.rpartition('@')[2]}").geturl()


def _give_password(server: Server, role: str) -> None:
    # Every time, because a test may have recreated the role.
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(_PASSWORD)))
    _admit(server, role)


@cache
def _admit(server: Server, role: str) -> None:
    if server.pgbouncer is not None:
        server.pgbouncer.admit(role, _PASSWORD)


@contextmanager
def acting_as(db: Database, role: str) -> Iterator[Cursor]:
    """A transaction with the rights of this role, without logging in."""
    with db.transaction() as cursor:
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        yield cursor
