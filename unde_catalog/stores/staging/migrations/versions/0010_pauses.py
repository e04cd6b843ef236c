"""Pauses: brands and stages that an operator holds up.

Revision: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"

TABLES = """
CREATE TABLE IF NOT EXISTS pauses (
    brand      varchar(50) NOT NULL,      -- '*': every brand
    stage      text NOT NULL,             -- '*': every stage
    why        text NOT NULL,
    paused_at  timestamptz NOT NULL,
    PRIMARY KEY (brand, stage)
);

-- Every worker asks; to hold up others is for who serves all of them.
GRANT SELECT ON pauses TO apify, collage, downloader, ximilar;
GRANT SELECT, INSERT, UPDATE, DELETE ON pauses TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
