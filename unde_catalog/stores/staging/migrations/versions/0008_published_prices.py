"""The price of each product as it was last published: what a new one is compared with.

Revision: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"

COLUMNS = """
ALTER TABLE raw_products ADD COLUMN IF NOT EXISTS published_price decimal(10, 2);
ALTER TABLE raw_products ADD COLUMN IF NOT EXISTS published_currency varchar(10);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(COLUMNS)
