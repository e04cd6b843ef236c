"""Prices that an operator has confirmed, and who did so, when and why.

The role of Ximilar's stage reads whether the last scrape was whole.

Revision: 0024
"""

from alembic import op

revision = "0024"
down_revision = "0023"

SQL = """
CREATE TABLE IF NOT EXISTS price_releases (
    product_id   bigint        NOT NULL REFERENCES raw_products (id) ON DELETE CASCADE,
    price        numeric(10,2) NOT NULL,
    currency     varchar(10)   NOT NULL,
    why          text          NOT NULL,
    released_by  text          NOT NULL,
    released_at  timestamptz   NOT NULL DEFAULT unde_now(),
    PRIMARY KEY (product_id, released_at)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON price_releases TO scraper;
GRANT SELECT ON scrapes TO ximilar;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(SQL)
