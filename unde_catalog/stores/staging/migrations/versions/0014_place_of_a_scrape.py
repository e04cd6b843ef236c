"""Where reading of a scrape goes on, in words of a source whose items can't be counted to.

Revision: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"

COLUMN = "ALTER TABLE scrapes ADD COLUMN IF NOT EXISTS place text"


def upgrade() -> None:
    """Make what is missing."""
    op.execute(COLUMN)
