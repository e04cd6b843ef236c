"""Taking over a deployed system: the plan, the adoption and the handover of stages."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from unde_catalog.backends import Backends
from unde_catalog.operations.takeover import adopt as takeover
from unde_catalog.operations.takeover import handover
from unde_catalog.operations.takeover.plan import make_plan
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support import deployed
from unde_catalog_tests.support.servers import Sandbox, Server
from unde_catalog_tests.support.whole_databases import schema

PRODUCTS, STORED = 60, 30


@pytest.fixture
def made() -> deployed.Deployed:
    return deployed.make_products(PRODUCTS, STORED)


@pytest.fixture
def url(
    server: Server, made: deployed.Deployed, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A deployed database, whose objects are in the folder that the settings name."""
    url = server.new_database(migrated=False)
    deployed.fill_database(url, made, sandbox.url)
    deployed.store_objects(tmp_path / "home" / "objects", made)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        **sandbox.environment, "UNDE_HOME": str(tmp_path / "home"), "STAGING_DB_URL": url,
        "ADOPTION_REQUESTS_PER_SECOND": "1000",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield url
    server.drop(url)


@pytest.fixture
def backends(url: str, tmp_path: Path) -> Iterator[Backends]:
    (tmp_path / "home" / "objects" / ".unfinished").mkdir(parents=True, exist_ok=True)
    with Backends(load_settings()) as backends:
        yield backends


def adopt(backends: Backends, **options: Any) -> takeover.Adoption:
    return takeover.adopt(backends, RunOptions(), logging.getLogger("test"), lambda _: None, **options)


def paused_stages(backends: Backends) -> set[str]:
    return {one.stage for one in backends.db.read(pauses.all_pauses) if one.why == handover.DEPLOYED_WHY}


def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT p::text, p.xmin::text FROM raw_products p ORDER BY id").fetchall()


def test_a_plan_changes_nothing(backends: Backends, url: str, tmp_path: Path) -> None:
    before = schema(url), rows(url), sorted(tmp_path.rglob("*"))
    plan = make_plan(backends)
    assert (schema(url), rows(url), sorted(tmp_path.rglob("*"))) == before
    assert plan.obstacles == []
    assert sum(one.products for one in plan.left) == PRODUCTS
    assert sum(one.photos for one in plan.left) == STORED * deployed.PHOTOS


def test_a_plan_counts_what_is_left(backends: Backends) -> None:
    adopt(backends)
    plan = make_plan(backends)
    assert plan.left == [] and plan.requests == 0 and plan.migrations == []
    with psycopg.connect(backends.staging_url()) as outside:
        outside.execute("UPDATE raw_products SET image_status = 'uploaded' WHERE image_status = 'pending' AND id = 60")
    assert [one.products for one in make_plan(backends).left] == [1]


@pytest.mark.parametrize("settings", ["other folder", "other bucket", "no server"])
@pytest.mark.slow
def test_the_wrong_bucket_prevents_an_adoption(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    if settings == "other folder":
        monkeypatch.setenv("UNDE_HOME", str(tmp_path / "elsewhere"))
    elif settings == "no server":
        for name, value in (("ENDPOINT", "http://127.0.0.1:9"), ("ACCESS_KEY", "a"), ("SECRET_KEY", "b")):
            monkeypatch.setenv(f"S3_{name}", value)
        monkeypatch.setenv("S3_BUCKET", "unde-images")
    else:
        objects = tmp_path / "home" / "objects"
        objects.rename(tmp_path / "away")
        (objects / ".unfinished").mkdir(parents=True)
    with Backends(load_settings()) as backends:
        (obstacle,) = make_plan(backends).obstacles
        expected = (
            "nothing accepts connections" if settings == "no server" else "of 20 photos that rows name, 20 are not"
        )
        assert expected in obstacle
        assert make_plan(backends, lost_objects=True).obstacles == []
    assert not (tmp_path / "elsewhere" / "objects").exists()


def test_deployed_stages_are_paused_with_the_migration(backends: Backends, url: str) -> None:
    STAGING.upgrade(url)  # as an adoption that is killed right after it
    assert paused_stages(backends) == set(handover.DEPLOYED_STAGES)
    assert set(adopt(backends).paused) == set(handover.DEPLOYED_STAGES)
    handover.take(backends.db, "originals", "zara")
    adopt(backends)
    assert ("zara", "originals") not in {(one.brand, one.stage) for one in backends.db.read(pauses.all_pauses)}


def test_an_adoption_without_pause_leaves_none(backends: Backends, url: str) -> None:
    STAGING.upgrade(url)
    assert adopt(backends, pause=False).paused == []
    assert paused_stages(backends) == set()


def test_all_that_is_stored_is_adopted(backends: Backends, made: deployed.Deployed) -> None:
    done = adopt(backends)
    assert done.total("photos_adopted") == sum(len(one.stored) for one in made.products)
    with psycopg.connect(backends.staging_url()) as outside:
        statuses = outside.execute("SELECT external_id, image_status FROM raw_products").fetchall()
    # A deployed downloader would fetch all photos of a product that became pending.
    before = {one.external_id: one.image_status for one in made.products}
    assert {id for id, status in statuses if status == "pending"} == {
        id for id, status in before.items() if status == "pending"
    }


def test_a_stage_is_handed_over_when_it_is_quiet(backends: Backends) -> None:
    adopt(backends)
    with psycopg.connect(backends.staging_url(), autocommit=True) as outside:
        outside.execute(
            "UPDATE raw_products SET image_status = 'error' WHERE brand = 'zara' AND image_status = 'pending'"
        )
        with pytest.raises(handover.HandoverRefused, match="stop it"):
            handover.take(backends.db, "originals", "zara")
        assert "bershka from now on" in handover.take(backends.db, "originals", "bershka")
        outside.execute("UPDATE outside_writes SET minute = minute - %s", (timedelta(days=30),))
        assert "zara from now on" in handover.take(backends.db, "originals", "zara")
        outside.execute("UPDATE raw_products SET image_status = 'uploaded' WHERE brand = 'zara'")
        with pytest.raises(handover.HandoverRefused, match="to adopt"):
            handover.take(backends.db, "collages", "zara")
    backends.db.run(pauses.pause, "*", "*", "the power is off")
    assert "when it is resumed: paused since" in handover.take(backends.db, "originals", "oysho")
    owner = next(one for one in handover.owners(backends.db) if (one.brand, one.stage) == ("oysho", "originals"))
    assert owner.sentence() == "unde_catalog, paused"
    assert "paused" in handover.give_back(backends.db, "originals", "zara")
    owner = next(one for one in handover.owners(backends.db) if (one.brand, one.stage) == ("zara", "originals"))
    assert not owner.ours and owner.last_write is not None
