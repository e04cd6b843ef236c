"""The creation of roles: once per cluster, by a role that may, and while workers are running."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.due import BRAND, LEASE, STAGE, add_products, execute, finish, poll, take
from unde_catalog_tests.support.roles import ROLES, acting_as, url_as
from unde_catalog_tests.support.servers import PROJECT, Server

pytestmark = pytest.mark.slow

MIGRATE = "import sys; from unde_catalog.stores.staging.migrate import STAGING; STAGING.upgrade(sys.argv[1])"


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    url = server.new_database(migrated=False)
    yield url
    server.drop(url)


@contextmanager
def without_roles(admin: psycopg.Connection, server: Server, url: str) -> Iterator[None]:
    """The cluster without the project's roles. The roles that other databases use are restored afterwards.

    The database at `url`, which may know others by these names, is emptied.
    """
    for role in ROLES:
        admin.execute(f"ALTER ROLE {role} RENAME TO {role}_before".encode())
    try:
        yield
    finally:
        with psycopg.connect(server.direct_url(url), autocommit=True) as connection:
            for role in set(ROLES) & set(roles(admin)):
                connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
        for role in ROLES:
            admin.execute(f"ALTER ROLE {role}_before RENAME TO {role}".encode())


def roles(admin: psycopg.Connection) -> list[str]:
    rows = admin.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("outcome", ["COMMIT", "ROLLBACK"])
def test_roles_being_created_by_another_migration_are_waited_for(
    server: Server, admin: psycopg.Connection, empty_url: str, outcome: str
) -> None:
    with without_roles(admin, server, empty_url):
        with psycopg.connect(server.admin_url) as other:
            other.execute("CREATE ROLE collage LOGIN")
            command = [sys.executable, "-c", MIGRATE, empty_url]
            migrating = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=PROJECT)
            try:
                poll(server.admin_url, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'transactionid'")
                other.execute(outcome.encode())
                _, output = migrating.communicate(timeout=60)
            finally:
                migrating.kill()
        assert (migrating.returncode, output) == (0, "")
        assert set(ROLES) <= set(roles(admin))


def test_databases_of_one_server_can_be_migrated_at_once(server: Server, admin: psycopg.Connection) -> None:
    urls = [server.new_database(migrated=False) for _ in range(4)]
    with without_roles(admin, server, urls[0]):
        migrating = [subprocess.Popen([sys.executable, "-c", MIGRATE, url], cwd=PROJECT) for url in urls]
        assert [process.wait(60) for process in migrating] == [0, 0, 0, 0]
        for url in urls[1:]:
            server.drop(url)
    server.drop(urls[0])


def test_roles_have_no_password_until_an_operator_sets_one(
    server: Server, admin: psycopg.Connection, empty_url: str
) -> None:
    with without_roles(admin, server, empty_url):
        STAGING.upgrade(empty_url)
        rows = admin.execute("SELECT rolname FROM pg_authid WHERE rolpassword IS NULL AND rolcanlogin").fetchall()
        assert set(ROLES) <= {row[0] for row in rows}
        made = admin.execute("SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls) FROM pg_roles"
                             " WHERE rolname = ANY(%s)", (list(ROLES),)).fetchone()  # fmt: skip
        assert made == (False,)


@pytest.fixture
def owner(server: Server, admin: psycopg.Connection, empty_url: str) -> Iterator[str]:
    """The URL of an unmigrated database for its owner, who has no other rights."""
    role = f"owner_{uuid.uuid4().hex}"
    hand_over = sql.SQL("ALTER DATABASE {} OWNER TO {}")
    database = sql.Identifier(empty_url.partition("?")[0].rpartition("/")[2])
    admin.execute(f"CREATE ROLE {role} LOGIN".encode())
    admin.execute(hand_over.format(database, sql.Identifier(role)))
    yield url_as(server, empty_url, role)
    admin.execute(hand_over.format(database, sql.Identifier("unde")))
    with psycopg.connect(server.direct_url(empty_url), autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_an_owner_who_may_not_create_roles_gets_advice(
    server: Server, admin: psycopg.Connection, empty_url: str, owner: str
) -> None:
    sentence = (
        r"^the staging database .* can't be migrated: "
        r"the roles apify, collage, downloader, scraper, ximilar are missing and "
        r"owner_\w+ may not make roles; let an administrator run CREATE ROLE \.\.\. LOGIN for each of them, then "
        r"migrate again$"
    )
    with without_roles(admin, server, empty_url):
        with pytest.raises(DatabaseUnavailable, match=sentence):
            STAGING.upgrade(owner)
        with Database(owner) as db:
            assert STAGING.revision(db) is None


def test_an_owner_who_may_not_create_roles_uses_existing_ones(server: Server, empty_url: str, owner: str) -> None:
    STAGING.upgrade(owner)
    with Database(owner) as db, Database(url_as(server, empty_url, "downloader")) as worker:
        add_products(db, 2)
        assert len(finish(worker, take(worker))) == 2
        with pytest.raises(DatabaseUnavailable, match="permission denied for table raw_products"):
            execute(worker, "UPDATE raw_products SET price = 1")


def test_rights_that_roles_had_stay_and_scraper_gets_later_tables(empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    STAGING.upgrade(empty_url)
    with Database(empty_url) as db:
        execute(db, "GRANT ALL ON raw_products TO downloader")
        execute(db, "DELETE FROM alembic_version")
        STAGING.upgrade(empty_url)
        with acting_as(db, "downloader") as cursor:
            cursor.execute("UPDATE raw_products SET price = 1")
        with pytest.raises(DatabaseUnavailable, match="permission denied"), acting_as(db, "downloader") as cursor:
            cursor.execute("CREATE TABLE mine ()")
        execute(db, "CREATE TABLE later (id bigserial)")
        with acting_as(db, "scraper") as cursor:
            cursor.execute("INSERT INTO later DEFAULT VALUES")


def settle(cursor: Cursor, leases: Sequence[work_queue.Lease]) -> int:
    """Record outcomes and update products, as a run does repeatedly."""
    work_queue.finish(cursor, STAGE, [work_queue.LeaseOutcome(lease, "released") for lease in leases])
    ids = [lease.product_id for lease in leases]
    cursor.execute("UPDATE raw_products SET updated_at = now() WHERE id = ANY(%s)", (ids,))
    return len(leases)


@pytest.mark.parametrize("revision", ["0003", "0004"])
def test_a_database_is_migrated_while_workers_use_it(empty_url: str, revision: str) -> None:
    assert STAGING.upgrade(empty_url, revision)[-1] == revision
    done, enough = [0], threading.Event()

    def worker() -> None:
        with Database(empty_url) as own:
            while not enough.is_set():
                done[0] += own.run(settle, own.run(work_queue.take, STAGE, BRAND, 50, LEASE))

    with Database(empty_url) as db, ThreadPoolExecutor(3) as threads:
        add_products(db, 500)
        query = "SELECT product_id, stage, due_at FROM due_work WHERE stage <> 'adoption' ORDER BY product_id"
        before = execute(db, query)
        workers = [threads.submit(worker) for _ in range(3)]
        try:
            poll(empty_url, "SELECT count(*) FILTER (WHERE taken <> 0) > 100 FROM due_work")
            assert STAGING.upgrade(empty_url)[-1] == STAGING.newest_revision()
            after_it = done[0]
            poll(empty_url, "SELECT pg_sleep(0.2) IS NOT NULL")
        finally:
            enough.set()
        for one in workers:
            one.result(30)
        assert done[0] > after_it > 0
        assert execute(db, query) == before
