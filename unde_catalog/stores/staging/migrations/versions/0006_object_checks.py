"""Where a comparison of the object store with the tables keeps what it saw and found; empty between two of them.

Revision: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE IF NOT EXISTS object_checks (
    id            bigserial PRIMARY KEY,
    started_at    timestamptz NOT NULL DEFAULT now(),
    leased_until  timestamptz NOT NULL,            -- a check that was killed is cleared away after that
    objects       bigint NOT NULL DEFAULT 0        -- rows in stored_objects, which a crash of the server empties
);
CREATE UNLOGGED TABLE IF NOT EXISTS stored_objects (
    check_id  bigint NOT NULL,
    key       text NOT NULL,
    size      bigint NOT NULL,
    modified  timestamptz NOT NULL,
    sha256    text                                 -- NULL: it was not read
);
CREATE INDEX IF NOT EXISTS idx_stored_objects_key ON stored_objects (check_id, key);
CREATE UNLOGGED TABLE IF NOT EXISTS object_findings (
    id          bigserial PRIMARY KEY,
    check_id    bigint NOT NULL,
    kind        text NOT NULL,     -- missing, wrong_size, wrong_hash, orphan, unrecorded, busy
    stage       text NOT NULL,     -- whose object it is
    key         text,
    product_id  bigint,
    n           smallint,
    sha256      text               -- the row's
);
CREATE INDEX IF NOT EXISTS idx_object_findings_check ON object_findings (check_id, kind, id);
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
