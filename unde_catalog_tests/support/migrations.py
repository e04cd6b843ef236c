"""A database at an older migration, for tests of what brings it up to date."""

import sqlalchemy
from alembic import command
from alembic.config import Config

from unde_catalog.stores.db import migrate
from unde_catalog_tests.support.servers import Server


def database_at(server: Server, revision: str) -> str:
    """The URL of a fresh database at that migration."""
    url = server.new_database(migrated=False)
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    engine = sqlalchemy.create_engine(server.direct_url(url).replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return url
