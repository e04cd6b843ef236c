"""What `unde-catalog doctor` tells of single services. Nothing about secrets: `test_doctor_secrets.py`."""

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
from unde_catalog.operations.doctor.dagster import look_at_database, look_at_instance
from unde_catalog.operations.doctor.databases import Databases, look_at_staging
from unde_catalog.operations.doctor.machine import _room
from unde_catalog.operations.doctor.objects import look_at_objects
from unde_catalog.operations.doctor.proxy import look_at_proxy
from unde_catalog.operations.doctor.result import Finding
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.proxies import authority, running_proxy
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.s3_servers import odd_s3, running_rclone, s3_environment
from unde_catalog_tests.support.servers import PROJECT, Server
from unde_catalog_tests.support.upstream import far_side, reply

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
Look = Callable[..., Finding]


@pytest.fixture
def staging(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Makes one look, with the test's database as the staging database and whatever else is set."""
    monkeypatch.chdir(tmp_path)

    def look(at: Callable[[Databases], Finding], **environment: str) -> Finding:
        for name, value in {"UNDE_HOME": "home", "STAGING_DB_URL": database_url, **environment}.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        with Backends(settings) as backends:
            return at(Databases(settings, backends))

    return look


# ---------------------------------------------------------------- databases


@pytest.mark.parametrize(
    ("role", "stages"),
    [("apify", "raw_products"), ("downloader", "originals"), ("collage", "collages"), ("ximilar", "ximilar_index"),
     ("scraper", "all stages")],
)  # fmt: skip
def test_a_role_is_told_with_the_stages_it_writes_for(
    staging: Look, server: Server, database_url: str, role: str, stages: str
) -> None:
    found = staging(look_at_staging, STAGING_DB_URL=url_as(server, database_url, role))
    assert (found.state, found.said.rpartition(", ")[2]) == ("green", f"writes for {stages}"), found
    assert f"as {role}" in found.said


def test_a_role_that_lacks_a_right_of_its_stage_is_told_which(staging: Look, server: Server, database_url: str) -> None:
    with psycopg.connect(server.direct_url(database_url)) as connection:
        connection.execute("REVOKE UPDATE (image_urls) ON raw_products FROM downloader")
    found = staging(look_at_staging, STAGING_DB_URL=url_as(server, database_url, "downloader"))
    assert found.state == "red"
    assert "lacks UPDATE of raw_products.image_urls for originals" in found.said


def test_a_role_that_may_write_nothing_is_no_worker(staging: Look, server: Server, database_url: str) -> None:
    with psycopg.connect(server.direct_url(database_url)) as connection:
        for right in ("INSERT", "UPDATE", "DELETE"):
            connection.execute(f"REVOKE {right} ON ALL TABLES IN SCHEMA public FROM scraper".encode())
    found = staging(look_at_staging, STAGING_DB_URL=url_as(server, database_url, "scraper"))
    assert found.state == "red"
    assert "lacks INSERT of raw_products.name for raw_products" in found.said


def test_a_database_that_takes_no_writes_is_red(staging: Look, server: Server, database_url: str) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server.direct_url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    found = staging(look_at_staging, STAGING_DB_URL=server.past_poolers(database_url))
    assert (found.state, found.settings) == ("red", ("STAGING_DB_URL",))
    assert "takes no writes" in found.said
    assert "pooler" not in found.said


@pytest.mark.parametrize(
    ("revision", "advice"),
    [("'0004'", "run unde-catalog migrate"), ("'9999'", "install the newer one"), (None, "run unde-catalog migrate")],
)
def test_another_migration_than_the_programs_is_red(
    staging: Look, db: Database, revision: str | None, advice: str
) -> None:
    execute(db, f"UPDATE alembic_version SET version_num = {revision}" if revision else "DELETE FROM alembic_version")
    found = staging(look_at_staging)
    assert found.state == "red"
    assert advice in found.said


def test_the_embedded_database_stands_in_and_is_looked_at(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}

    def run(*arguments: str) -> str:
        done = subprocess.run([PROGRAM, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("migrate")
    lines = {line["service"]: line for line in json.loads(run("doctor", "--json"))["services"]}
    assert "stands in (PostgreSQL 18" in lines["staging-database"]["said"]
    assert "Dagster makes its tables there at its first start" in lines["dagster-database"]["said"]
    assert {line["state"] for line in lines.values()} == {"yellow", "green"}


# ---------------------------------------------------------------- objects


def test_objects_that_the_public_cannot_read_are_told(staging: Look, tmp_path: Path) -> None:
    with running_rclone(tmp_path / "s3") as rclone:
        found = staging(look_at_objects, **s3_environment(rclone.url))
    assert (found.state, found.settings) == ("yellow", ("OBJECT_BASE_URL",))
    assert "others can't read objects" in found.said


def test_a_bucket_that_everybody_may_list_is_told(staging: Look) -> None:
    with odd_s3() as store:
        found = staging(look_at_objects, **s3_environment(store.url))
        assert store.objects == {}
    assert (found.state, "everybody may list the bucket" in found.said) == ("yellow", True), found


def test_a_store_that_gives_back_something_else_is_red(staging: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unde_catalog.operations.doctor.objects.secrets.token_hex", lambda count: "ab" * count)
    with odd_s3() as store:
        store.garbles = "doctor/" + "ab" * 8 + ".txt"
        found = staging(look_at_objects, **s3_environment(store.url))
        assert store.objects == {}
    assert found.state == "red"
    assert "read back as something else" in found.said


def test_a_folder_works_as_a_stand_in_and_one_whose_disk_is_away_is_red(
    staging: Look, db: Database, tmp_path: Path
) -> None:
    assert "made at the first use" in staging(look_at_objects).said
    folder = tmp_path / "home" / "objects"
    (folder / ".unfinished").mkdir(parents=True)
    found = staging(look_at_objects)
    assert (found.state, found.said) == ("yellow", f"not configured: the folder {folder} stands in, and works")
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    product = add_products(db, 1)[0]
    execute(
        db,
        "INSERT INTO product_photos VALUES (%s, 1, 'https://a.test/1', 'stored', NULL, 'k', %s, 60, 60, 900, now())",
        product, "0" * 64,
    )  # fmt: skip
    folder.rename(tmp_path / "away")
    found = staging(look_at_objects)
    assert (found.state, "is its disk mounted?" in found.said) == ("red", True), found


# ---------------------------------------------------------------- Dagster


@pytest.fixture
def dagster_url(server: Server) -> Iterator[str]:
    """A database with Dagster's tables."""
    url = server.past_poolers(server.new_database(migrated=False))
    DagsterPostgresStorage(url)
    yield url
    server.drop(url)


def test_a_database_of_dagsters_that_takes_no_event_is_red(staging: Look, dagster_url: str) -> None:
    assert staging(look_at_database, DAGSTER_DB_URL=dagster_url).said == "an event was stored and deleted"
    with psycopg.connect(dagster_url) as connection:
        connection.execute("ALTER TABLE event_logs ADD CHECK (dagster_event_type IS NOT NULL)")
    found = staging(look_at_database)
    assert (found.state, found.settings) == ("red", ("DAGSTER_DB_URL",))
    assert "violates check constraint" in found.said


def test_a_database_of_an_older_dagster_is_red(staging: Look, dagster_url: str) -> None:
    with psycopg.connect(dagster_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '5e139331e376'")
    found = staging(look_at_database, DAGSTER_DB_URL=dagster_url)
    assert (found.state, "run dagster instance migrate" in found.said) == ("red", True), found


def test_a_dagster_yaml_is_the_projects_another_or_none(staging: Look, dagster_url: str, tmp_path: Path) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    found = staging(look_at_instance, DAGSTER_DB_URL=dagster_url, DAGSTER_HOME=str(home))
    assert (found.state, found.settings) == ("red", ("DAGSTER_HOME",))
    ours = (PROJECT / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(ours)
    found = staging(look_at_instance)
    assert (found.state, found.said) == (
        "green", "30 runs at once, 0 waiting; pools take 7, 0 have a limit of their own"
    )  # fmt: skip
    (home / "dagster.yaml").write_text(ours.replace("max_concurrent_runs: 30", "max_concurrent_runs: 9"))
    found = staging(look_at_instance)
    assert (found.state, found.settings) == ("yellow", ("DAGSTER_HOME",))
    assert "is not the project's dagster.yaml; 9 runs at once" in found.said


# ---------------------------------------------------------------- proxy, disk


def test_a_proxy_that_re_signs_tls_wants_its_bundle(staging: Look, db: Database, tmp_path: Path) -> None:
    shops, vendor = authority(tmp_path / "shops"), authority(tmp_path / "vendor")
    with far_side(shops.server()) as shop, running_proxy(tmp_path / "proxy", resigns=vendor, trusts=shops) as proxy:
        shop.answer("/", reply(b"a shop"))
        add_products(db, 1, original_image_urls=json.dumps([shop.url("/a.jpg", "localhost")]))

        def look(databases: Databases) -> Finding:
            return look_at_proxy(databases.settings, databases)

        hosts = f"localhost:{shop.port}"
        found = staging(look, PROXY_URL=proxy, ZARA_PHOTO_HOSTS=hosts)
        assert (found.state, found.settings) == ("red", ("PROXY_CA_BUNDLE",)), found
        found = staging(look, PROXY_URL=proxy, ZARA_PHOTO_HOSTS=hosts, PROXY_CA_BUNDLE=str(vendor.certificate))
        assert found.state == "green", found
        found = staging(look, PROXY_URL=proxy, ZARA_PHOTO_HOSTS="static.zara.test")
        assert (found.state, found.settings) == ("yellow", ("ZARA_PHOTO_HOSTS",)), found
    with far_side() as refusing:
        refusing.answer(f"localhost:{shop.port}", reply(b"", "403 Forbidden", x_brd_error="policy"))
        url = f"http://someone:pass-word@127.0.0.1:{refusing.port}"
        found = staging(look, PROXY_URL=url, ZARA_PHOTO_HOSTS=hosts, PROXY_CA_BUNDLE="")
        assert (found.state, found.settings) == ("red", ("PROXY_URL",)), found
        refusing.answer(f"localhost:{shop.port}", reply(b"", "502 Bad Gateway", x_brd_error="target failed"))
        found = staging(look, PROXY_URL=url)
        assert (found.state, found.settings) == ("yellow", ("ZARA_PHOTO_HOSTS",)), found


def test_room_on_the_disk_has_three_colours() -> None:
    folder = Path("/somewhere")
    assert [_room(folder, free).state for free in (10**8, 10**9, 10**10)] == ["red", "yellow", "green"]
