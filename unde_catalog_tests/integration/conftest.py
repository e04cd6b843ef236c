"""Fixtures that several integration tests share: databases, a shop, photos and their host."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unde_catalog.staging.database import Database
from unde_catalog_tests.due import execute
from unde_catalog_tests.fake_time import FakeTime
from unde_catalog_tests.far_side import FarSide, far_side
from unde_catalog_tests.integration.shop import OpenShop, Shop
from unde_catalog_tests.photo_catalogue import Catalogue, photo_catalogue
from unde_catalog_tests.servers import Sandbox, Server


@pytest.fixture
def each_url(each_server: Server) -> Iterator[str]:
    """A migrated database of this test's own, on each PostgreSQL that the SQL has to run on."""
    url = each_server.new_database()
    yield url
    left = each_server.session_state(url)
    each_server.drop(url)
    assert left == []


@pytest.fixture
def each_db(each_url: str) -> Iterator[Database]:
    with Database(each_url) as database:
        yield database


@pytest.fixture
def open_shop(
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    server: Server,
    database_url: str,
    tmp_path: Path,
) -> OpenShop:
    """Opens a shop with the sandbox's arguments."""
    return OpenShop(start_sandbox, configured, server, database_url, tmp_path)


@pytest.fixture
def shop(open_shop: OpenShop) -> Shop:
    return open_shop()


@pytest.fixture
def no_lease_is_left(db: Database) -> Iterator[None]:
    """However a run ends, it leaves nothing leased."""
    yield
    assert execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []


@pytest.fixture
def catalogue(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalogue]:
    monkeypatch.chdir(tmp_path)  # no .env of a developer's here
    with photo_catalogue(db, tmp_path) as made:
        yield made


@pytest.fixture
def host() -> Iterator[FarSide]:
    with far_side() as running:
        yield running


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()
