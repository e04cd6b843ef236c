"""The database's roles in tests: logging in as one, or being one for a transaction."""

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
    """A database's URL with which that role logs in."""
    _give_password(server, role)
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{_PASSWORD.replace(' ', '%20')}@{parts.netloc.rpartition('@')[2]}").geturl()


def _give_password(server: Server, role: str) -> None:
    # Each time: a test may have made the role anew.
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
    """A transaction with that role's rights, without logging in."""
    with db.transaction() as cursor:
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        yield cursor
