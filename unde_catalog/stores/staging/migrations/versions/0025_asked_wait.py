"""How long a failed product must wait because its host asked for it, or because a day must pass.

So that the repair of a clock that was turned back leaves such waits alone, and no others.

Revision: 0025
"""

from alembic import op

revision = "0025"
down_revision = "0024"

SQL = """
ALTER TABLE due_work ADD COLUMN IF NOT EXISTS asked_wait interval;
GRANT UPDATE (asked_wait) ON due_work TO collage, downloader, ximilar;
"""


def upgrade() -> None:
    """Add the column."""
    op.execute(SQL)
