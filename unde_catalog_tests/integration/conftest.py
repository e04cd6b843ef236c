"""Fixtures that several integration tests share: databases, an Apify brand, photos and their host."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.apify_brand import ApifyBrand, CreateApifyBrand
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.nats_servers import running_nats
from unde_catalog_tests.support.outages import PRODUCTS, Baseline, Pipeline, create_baseline, running_pipeline
from unde_catalog_tests.support.photo_catalogue import PhotoCatalogue, photo_catalogue
from unde_catalog_tests.support.search_api import Api, OpenApi, open_search_api
from unde_catalog_tests.support.servers import Sandbox, Server
from unde_catalog_tests.support.upstream import RemoteHost, remote_host
from unde_catalog_tests.support.user_media_service import Media
from unde_catalog_tests.torture.assortment import Assortment, create_assortment


@pytest.fixture
def each_url(each_server: Server) -> Iterator[str]:
    """A migrated database for this test, on each supported PostgreSQL."""
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
def create_apify_brand(
    start_sandbox: Callable[..., Sandbox],
    configured: Callable[..., dict[str, str]],
    server: Server,
    database_url: str,
    tmp_path: Path,
) -> CreateApifyBrand:
    """Creates the test's Apify brand, with arguments for its sandbox."""
    return CreateApifyBrand(start_sandbox, configured, server, database_url, tmp_path)


@pytest.fixture
def apify_brand(create_apify_brand: CreateApifyBrand) -> ApifyBrand:
    return create_apify_brand()


@pytest.fixture
def no_lease_is_left(db: Database) -> Iterator[None]:
    """No lease is left, however a run ends."""
    yield
    assert execute(db, "SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []


@pytest.fixture
def catalogue(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoCatalogue]:
    monkeypatch.chdir(tmp_path)  # where there is no .env file
    with photo_catalogue(db, tmp_path) as catalogue:
        yield catalogue


@pytest.fixture
def host() -> Iterator[RemoteHost]:
    with remote_host() as running:
        yield running


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def open_api(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenApi]:
    """Serves the search API, with these variables in the environment."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(
            open_search_api(database_url, tmp_path, monkeypatch, **environment)
        )


@pytest.fixture
def api(open_api: OpenApi) -> Api:
    return open_api()


@pytest.fixture
def media(sandbox: Sandbox, configured: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[Media]:
    """The dependencies of the user media service."""
    with running_nats(tmp_path / "nats") as nats:
        yield Media(nats, sandbox, {**configured(sandbox), "NATS_URL": nats.url})


@pytest.fixture(scope="session")
def assortment(tmp_path_factory: pytest.TempPathFactory) -> Assortment:
    return create_assortment(tmp_path_factory.mktemp("shop"), PRODUCTS)


_baseline: list[Baseline] = []  # shared by all tests and created at first use


@pytest.fixture
def baseline(
    server: Server,
    assortment: Assortment,
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
) -> Baseline:
    """The result of a pipeline without failures."""
    if not _baseline:
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp("baseline") / "pipeline"
            with running_pipeline(server, assortment, folder, patch, caplog) as pipeline:
                _baseline.append(create_baseline(pipeline))
    return _baseline[0]


@pytest.fixture
def open_pipeline(
    server: Server,
    assortment: Assortment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    baseline: Baseline,  # created before the environment is changed
) -> Iterator[Callable[..., Pipeline]]:
    """Opens the pipeline of a brand, with these variables in the environment."""
    with ExitStack() as stack:

        def open(objects: Path | None = None, on: Server = server, **environment: str) -> Pipeline:
            number = len(list(tmp_path.iterdir()))
            pipeline = running_pipeline(
                on, assortment, tmp_path / f"pipeline{number}", monkeypatch, caplog, objects, **environment
            )
            return stack.enter_context(pipeline)

        yield open


@pytest.fixture
def direct(server: Server, database_url: str) -> str:
    """The test's database past any pooler, as the administrator."""
    return server.direct_url(database_url)


@pytest.fixture
def fresh(server: Server) -> Iterator[str]:
    """An empty database with pgvector, past any pooler, as its owner, who is not a superuser."""
    owner = f"owner_{uuid.uuid4().hex[:8]}"
    url = server.new_database(migrated=False)
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'x'").format(sql.Identifier(owner)))
        name = sql.Identifier(url.split("?")[0].rsplit("/", 1)[-1])
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))
        if server.pgbouncer is not None:
            server.pgbouncer.admit(owner, "x")
    with psycopg.connect(server.direct_url(url), autocommit=True) as connection:  # as an administrator would
        connection.execute("CREATE EXTENSION vector")
    yield server.direct_url(url).replace("//unde@", f"//{owner}:x@")
    server.drop(url)
