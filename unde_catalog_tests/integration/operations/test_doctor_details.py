"""Details of `unde-catalog doctor` for single services. Secrets are tested in `test_doctor_secrets.py`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from dagster_postgres import DagsterPostgresStorage

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.dagster import check_database, check_instance
from unde_catalog.operations.doctor.databases import Databases, check_staging
from unde_catalog.operations.doctor.machine import _free_space
from unde_catalog.operations.doctor.objects import check_objects
from unde_catalog.operations.doctor.proxy import check_proxy
from unde_catalog.operations.doctor.result import Finding
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.proxies import authority, running_proxy
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.s3_servers import fake_s3, running_rclone, s3_environment
from unde_catalog_tests.support.servers import PROJECT, Server
from unde_catalog_tests.support.upstream import remote_host, reply

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
RunCheck = Callable[..., Finding]


@pytest.fixture
def run_check(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCheck:
    """Runs one check, with the test's database as staging and with further settings."""
    monkeypatch.chdir(tmp_path)

    def run(check: Callable[[Databases], Finding], **environment: str) -> Finding:
        for name, value in {"UNDE_HOME": "home", "STAGING_DB_URL": database_url, **environment}.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        with Backends(settings) as backends:
            return check(Databases(settings, backends))

    return run


# ---------------------------------------------------------------- databases


@pytest.mark.parametrize(
    ("role", "stages"),
    [("apify", "raw_products"), ("downloader", "originals"), ("collage", "collages"), ("ximilar", "ximilar_index"),
     ("scraper", "all stages")],
)  # fmt: skip
def test_a_role_is_reported_with_the_stages_it_writes_for(
    run_check: RunCheck, server: Server, database_url: str, role: str, stages: str
) -> None:
    found = run_check(check_staging, STAGING_DB_URL=url_as(server, database_url, role))
    assert (found.state, found.message.rpartition(", ")[2]) == ("green", f"writes for {stages}"), found
    assert f"as {role}" in found.message


def test_a_missing_right_of_a_role_is_named(run_check: RunCheck, server: Server, database_url: str) -> None:
    with psycopg.connect(server.direct_url(database_url)) as connection:
        connection.execute("REVOKE UPDATE (image_urls) ON raw_products FROM downloader")
    found = run_check(check_staging, STAGING_DB_URL=url_as(server, database_url, "downloader"))
    assert found.state == "red"
    assert "lacks UPDATE of raw_products.image_urls for originals" in found.message


def test_a_role_that_can_write_nothing_is_red(run_check: RunCheck, server: Server, database_url: str) -> None:
    with psycopg.connect(server.direct_url(database_url)) as connection:
        for right in ("INSERT", "UPDATE", "DELETE"):
            connection.execute(f"REVOKE {right} ON ALL TABLES IN SCHEMA public FROM scraper".encode())
    found = run_check(check_staging, STAGING_DB_URL=url_as(server, database_url, "scraper"))
    assert found.state == "red"
    assert "lacks INSERT of raw_products.name for raw_products" in found.message


def test_a_read_only_database_is_red(run_check: RunCheck, server: Server, database_url: str) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server.direct_url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    found = run_check(check_staging, STAGING_DB_URL=server.past_poolers(database_url))
    assert (found.state, found.settings) == ("red", ("STAGING_DB_URL",))
    assert "read-only" in found.message
    assert "pooler" not in found.message


@pytest.mark.parametrize(
    ("revision", "advice"),
    [("'0004'", "run unde-catalog migrate"), ("'9999'", "install a newer one"), (None, "run unde-catalog migrate")],
)
def test_a_database_with_another_migration_is_red(
    run_check: RunCheck, db: Database, revision: str | None, advice: str
) -> None:
    execute(db, f"UPDATE alembic_version SET version_num = {revision}" if revision else "DELETE FROM alembic_version")
    found = run_check(check_staging)
    assert found.state == "red"
    assert advice in found.message


@pytest.mark.slow
def test_the_embedded_database_is_used_and_checked(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}

    def run(*arguments: str) -> str:
        done = subprocess.run([PROGRAM, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("migrate")
    lines = {line["service"]: line for line in json.loads(run("doctor", "--json"))["services"]}
    assert "is used (PostgreSQL 18" in lines["staging-database"]["said"]
    assert "Dagster creates its tables at its first start" in lines["dagster-database"]["said"]
    assert {line["state"] for line in lines.values()} == {"yellow", "green"}


# ---------------------------------------------------------------- objects


def test_objects_that_the_public_cannot_read_are_yellow(run_check: RunCheck, tmp_path: Path) -> None:
    with running_rclone(tmp_path / "s3") as rclone:
        found = run_check(check_objects, **s3_environment(rclone.url))
    assert (found.state, found.settings) == ("yellow", ("OBJECT_BASE_URL",))
    assert "the public cannot read objects" in found.message


def test_a_bucket_that_anyone_can_list_is_yellow(run_check: RunCheck) -> None:
    with fake_s3() as store:
        found = run_check(check_objects, **s3_environment(store.url))
        assert store.objects == {}
    assert (found.state, "anyone can list the bucket" in found.message) == ("yellow", True), found


def test_a_store_that_returns_other_content_is_red(run_check: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.operations.doctor.objects.secrets.token_hex", lambda count: "ab" * count)
    with fake_s3() as store:
        store.garbled_key = "doctor/" + "ab" * 8 + ".txt"
        found = run_check(check_objects, **s3_environment(store.url))
        assert store.objects == {}
    assert found.state == "red"
    assert "has other content than was written" in found.message


def test_a_folder_is_yellow_and_one_that_is_not_mounted_is_red(
    run_check: RunCheck, db: Database, tmp_path: Path
) -> None:
    assert "created at the first use" in run_check(check_objects).message
    folder = tmp_path / "home" / "objects"
    (folder / ".unfinished").mkdir(parents=True)
    found = run_check(check_objects)
    assert (found.state, found.message) == ("yellow", f"not configured: the folder {folder} is used, and works")
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    product = add_products(db, 1)[0]
    execute(
        db,
        "INSERT INTO product_photos VALUES (%s, 1, 'https://a.test/1', 'stored', NULL, 'k', %s, 60, 60, 900, now())",
        product, "0" * 64,
    )  # fmt: skip
    folder.rename(tmp_path / "away")
    found = run_check(check_objects)
    assert (found.state, "is its disk mounted?" in found.message) == ("red", True), found


# ---------------------------------------------------------------- Dagster


@pytest.fixture
def dagster_url(server: Server) -> Iterator[str]:
    """A database with Dagster's tables."""
    url = server.past_poolers(server.new_database(migrated=False))
    DagsterPostgresStorage(url)
    yield url
    server.drop(url)


def test_a_dagster_database_that_refuses_events_is_red(run_check: RunCheck, dagster_url: str) -> None:
    assert run_check(check_database, DAGSTER_DB_URL=dagster_url).message == "a test event was stored and deleted"
    with psycopg.connect(dagster_url) as connection:
        connection.execute("ALTER TABLE event_logs ADD CHECK (dagster_event_type IS NOT NULL)")
    found = run_check(check_database)
    assert (found.state, found.settings) == ("red", ("DAGSTER_DB_URL",))
    assert "violates check constraint" in found.message


def test_a_database_of_an_older_dagster_version_is_red(run_check: RunCheck, dagster_url: str) -> None:
    with psycopg.connect(dagster_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '5e139331e376'")
    found = run_check(check_database, DAGSTER_DB_URL=dagster_url)
    assert (found.state, "run dagster instance migrate" in found.message) == ("red", True), found


def test_dagster_yaml_can_be_missing_correct_or_different(
    run_check: RunCheck, dagster_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    found = run_check(check_instance, DAGSTER_DB_URL=dagster_url, DAGSTER_HOME=str(home))
    assert (found.state, found.settings) == ("red", ("DAGSTER_HOME",))
    project = (PROJECT / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(project)
    found = run_check(check_instance)
    assert (found.state, found.message) == (
        "green", "at most 30 runs at once, 0 queued; default pool limit 7, 0 pools with their own limit"
    )  # fmt: skip
    (home / "dagster.yaml").write_text(project.replace("max_concurrent_runs: 30", "max_concurrent_runs: 9"))
    found = run_check(check_instance)
    assert (found.state, found.settings) == ("yellow", ("DAGSTER_HOME",))
    assert "differs from the project's dagster.yaml; at most 9 runs at once" in found.message


# ---------------------------------------------------------------- proxy, disk


def test_a_proxy_that_re_signs_tls_needs_its_ca_bundle(run_check: RunCheck, db: Database, tmp_path: Path) -> None:
    stores, vendor = authority(tmp_path / "stores"), authority(tmp_path / "vendor")
    with (
        remote_host(stores.server()) as store,
        running_proxy(tmp_path / "proxy", resigns=vendor, trusts=stores) as proxy,
    ):
        store.respond("/", reply(b"a store"))
        add_products(db, 1, original_image_urls=json.dumps([store.url("/a.jpg", "localhost")]))

        def check(databases: Databases) -> Finding:
            return check_proxy(databases.settings, databases)

        hosts = f"localhost:{store.port}"
        found = run_check(check, PROXY_URL=proxy, ZARA_PHOTO_HOSTS=hosts)
        assert (found.state, found.settings) == ("red", ("PROXY_CA_BUNDLE",)), found
        found = run_check(check, PROXY_URL=proxy, ZARA_PHOTO_HOSTS=hosts, PROXY_CA_BUNDLE=str(vendor.certificate))
        assert found.state == "green", found
        found = run_check(check, PROXY_URL=proxy, ZARA_PHOTO_HOSTS="static.zara.test")
        assert (found.state, found.settings) == ("yellow", ("ZARA_PHOTO_HOSTS",)), found
    with remote_host() as refusing:
        refusing.respond(f"localhost:{store.port}", reply(b"", "403 Forbidden", x_brd_error="policy"))
        url = f"http://someone:pass-word@127.0.0.1:{refusing.port}"
        found = run_check(check, PROXY_URL=url, ZARA_PHOTO_HOSTS=hosts, PROXY_CA_BUNDLE="")
        assert (found.state, found.settings) == ("red", ("PROXY_URL",)), found
        refusing.respond(f"localhost:{store.port}", reply(b"", "502 Bad Gateway", x_brd_error="target failed"))
        found = run_check(check, PROXY_URL=url)
        assert (found.state, found.settings) == ("yellow", ("ZARA_PHOTO_HOSTS",)), found


def test_free_disk_space_has_three_states() -> None:
    folder = Path("/somewhere")
    assert [_free_space(folder, free).state for free in (10**8, 10**9, 10**10)] == ["red", "yellow", "green"]
