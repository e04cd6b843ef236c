"""Shops: when each was last seen, and how their hosts are doing.

Revision: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
ALTER TABLE raw_stores ADD COLUMN IF NOT EXISTS seen_at timestamptz;

-- Manners towards a host over all processes: when the next request may be sent, and how much slower than usual it has
-- to be now. Unlogged: after a crash it begins at ease again.
CREATE UNLOGGED TABLE IF NOT EXISTS host_pace (
    host        text PRIMARY KEY,
    next_at     timestamptz NOT NULL,
    pause       double precision NOT NULL DEFAULT 0,  -- seconds between two requests beside the usual gap; 0: at ease
    reason      text,                                 -- why it is slowed down, or was the last time
    slowed_at   timestamptz,                          -- since when it is; NULL: at ease
    troubles    bigint NOT NULL DEFAULT 0             -- answers that slowed it down, ever
);

GRANT SELECT, INSERT, UPDATE, DELETE ON host_pace TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
