"""Keys of the search API, each kept as a hash.

Revision: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0017"

TABLE = """
CREATE TABLE IF NOT EXISTS api_keys (
    digest        text PRIMARY KEY,        -- SHA-256 in hex; the key is shown once and kept nowhere
    name          text NOT NULL,
    scope         text NOT NULL CHECK (scope IN ('read', 'write')),
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,             -- noted once a minute
    revoked_at    timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLE)
