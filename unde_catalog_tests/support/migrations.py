"""A database at an older migration, for tests of what brings it up to date."""

from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.servers import Server


def database_at(server: Server, revision: str) -> str:
    """The URL of a fresh database at that migration."""
    url = server.new_database(migrated=False)
    STAGING.upgrade(server.direct_url(url), revision)
    return url
