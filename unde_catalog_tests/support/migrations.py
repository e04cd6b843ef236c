"""A database at an older revision, for tests of migrations."""

from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support.servers import Server


def database_at(server: Server, revision: str) -> str:
    """Create a database at this revision. Returns its URL."""
    url = server.new_database(migrated=False)
    STAGING.upgrade(server.direct_url(url), revision)
    return url
