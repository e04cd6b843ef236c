"""Hosts that asked for no requests for longer than a run waits, so that the next runs leave them alone, too.

Revision: 0025
"""

from alembic import op

revision = "0025"
down_revision = "0024"

SQL = """
CREATE TABLE IF NOT EXISTS host_holds (
    host     text        PRIMARY KEY,
    asked_at timestamptz NOT NULL,
    until    timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON host_holds TO scraper, downloader, ximilar;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SQL)
