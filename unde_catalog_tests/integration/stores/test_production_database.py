"""The production database's own migrations, and what they leave alone."""

import pytest
from typer.testing import CliRunner

from unde_catalog.backends import Backends
from unde_catalog.cli.app import app
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.production.migrate import PRODUCTION
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import add_good, publish, published_rows
from unde_catalog_tests.support.servers import Server


def test_it_is_migrated_beside_the_tables_of_an_app(server: Server) -> None:
    url = server.new_database(migrated=False)
    with Database(url) as production:
        execute(production, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        execute(production, "INSERT INTO alembic_version VALUES ('of_the_app')")
        assert PRODUCTION.upgrade(url) == ["0001"]
        assert PRODUCTION.upgrade(url) == []
        execute(production, "DELETE FROM catalog_alembic_version")
        assert PRODUCTION.upgrade(url) == ["0001"]
        assert PRODUCTION.revision(production) == PRODUCTION.newest_revision()
        assert execute(production, "SELECT version_num FROM alembic_version") == [{"version_num": "of_the_app"}]
        rows = execute(production, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                       " AND relkind = 'r'")  # fmt: skip
        assert all(row["relname"].startswith("catalog_") or row["relname"] == "alembic_version" for row in rows)
    server.drop(url)


def test_both_can_live_in_one_database(db: Database, database_url: str) -> None:
    PRODUCTION.upgrade(database_url)
    assert STAGING.revision(db) == STAGING.newest_revision()
    add_good(db, 3)
    assert publish(db, db).done == 3
    assert len(published_rows(db)) == 3


def test_it_works_on_every_postgresql(each_url: str, each_db: Database) -> None:
    PRODUCTION.upgrade(each_url)
    add_good(each_db, 3)
    execute(each_db, "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
            " VALUES ('zara', 1, '1', '[\"S\"]', now())")  # fmt: skip
    assert publish(each_db, each_db).counts == {"new": 3, "availability": 1}
    execute(each_db, "UPDATE raw_products SET price = 0 WHERE external_id = '1'")
    assert publish(each_db, each_db).counts == {"hidden": 1}


def test_the_scraper_role_publishes(server: Server, db: Database, database_url: str, production: Database) -> None:
    add_good(db, 3)
    execute(db, "ALTER ROLE scraper PASSWORD 'p'")
    direct = server.direct_url(database_url).replace("//unde@", "//scraper:p@")
    with Database(direct) as as_scraper:
        assert publish(as_scraper, production).done == 3


@pytest.mark.parametrize("production", [False, True])
def test_migrate_reports_what_it_did_for_each_database(
    server: Server, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path, production: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    url = server.new_database(migrated=False)
    if production:
        monkeypatch.setenv("PRODUCTION_DB_URL", url)
        with (
            Backends(load_settings()) as backends,
            pytest.raises(DatabaseUnavailable, match="at migration None, .* needs 0001"),
        ):
            _ = backends.production
    output = CliRunner().invoke(app, ["migrate"]).stdout
    assert f"staging: already at {STAGING.newest_revision()}." in output
    assert ("production: ran 0001." in output) == production
    assert ("production: not configured; set PRODUCTION_DB_URL." in output) == (not production)
    server.drop(url)
