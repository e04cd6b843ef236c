"""Narrowing the rights of the stages' roles on a deployed database, and giving them back."""

import psycopg
import pytest

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.admin import role_rights
from unde_catalog_tests.support.roles import acting_as
from unde_catalog_tests.support.whole_databases import schema


def test_nothing_is_in_excess_on_a_new_database(db: Database, database_url: str) -> None:
    before = schema(database_url)
    assert db.read(role_rights.excess) == []
    assert db.run(role_rights.narrow) == []
    assert schema(database_url) == before  # role_rights.sql grants what the migrations grant


def test_rights_of_deployed_services_are_narrowed_and_restored(db: Database, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        narrow = schema(database_url)
        owner.execute("GRANT SELECT, INSERT, UPDATE ON raw_products, raw_stores TO downloader, ximilar")
        deployed = schema(database_url)
    assert len(db.run(role_rights.narrow)) == 10  # SELECT of raw_products is needed
    assert schema(database_url) == narrow
    with pytest.raises(DatabaseUnavailable, match="permission denied"), acting_as(db, "downloader") as cursor:
        cursor.execute("UPDATE raw_products SET price = 1")
    with acting_as(db, "downloader") as cursor:
        cursor.execute("UPDATE raw_products SET image_status = 'error'")
    assert len(db.run(role_rights.restore)) == 10
    assert schema(database_url) == deployed
    assert db.run(role_rights.restore) == []
