"""Notices: what failed for which cause, and what was, or is to be, told of it.

Revision: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = """
CREATE TABLE IF NOT EXISTS notice_causes (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,             -- run, check, warning
    stage       text NOT NULL,             -- the step that failed, or the check's asset
    check_name  text NOT NULL,             -- '' for a run
    reason_key  text NOT NULL,             -- what all failures of one cause have in common
    reason      text NOT NULL,             -- the first one's sentence, without secrets
    noticed_at  timestamptz NOT NULL,
    told_at     timestamptz,               -- when the last notice of it was written; NULL: it is to be told
    told_runs   integer NOT NULL DEFAULT 0,
    returned    integer NOT NULL DEFAULT 0,
    over_at     timestamptz
);
CREATE INDEX IF NOT EXISTS idx_notice_causes_key ON notice_causes (kind, stage, check_name, reason_key, over_at);

CREATE TABLE IF NOT EXISTS notice_failures (
    key           text PRIMARY KEY,        -- run and step, or run, asset, check and partition
    cause_id      uuid NOT NULL REFERENCES notice_causes ON DELETE CASCADE,
    brand         text NOT NULL,           -- '' where there is none
    run_id        text NOT NULL,
    at            timestamptz NOT NULL,
    recovered_at  timestamptz              -- when it worked again there
);
CREATE INDEX IF NOT EXISTS idx_notice_failures_cause ON notice_failures (cause_id);

CREATE TABLE IF NOT EXISTS notices (
    id          text NOT NULL,             -- sent along, so that a receiver knows a repeat
    channel     text NOT NULL,
    number      bigint GENERATED ALWAYS AS IDENTITY,
    body        jsonb NOT NULL,
    written_at  timestamptz NOT NULL,
    next_at     timestamptz NOT NULL,      -- not sent, or not again, before
    attempts    integer NOT NULL DEFAULT 0,
    sent_at     timestamptz,
    gave_up_at  timestamptz,
    error       text,                      -- why the last attempt failed
    PRIMARY KEY (id, channel)
);
CREATE INDEX IF NOT EXISTS idx_notices_unsent ON notices (channel, number)
    WHERE sent_at IS NULL AND gave_up_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_notices_written ON notices (written_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON notice_causes, notice_failures, notices TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
