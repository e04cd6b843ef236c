"""People's photos: requests taken from a stream with their answers, and the photos they stored.

Revision: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0016"

TABLES = """
CREATE TABLE IF NOT EXISTS user_media_requests (
    stream      text NOT NULL,
    sequence    bigint NOT NULL,           -- its place in the stream
    sent_at     timestamptz NOT NULL,      -- when the stream took it: a stream that is made anew begins at 1 again
    header      text,                      -- train, inf, or what was sent
    bot_id      bigint,                    -- NULL, as the next ones: could not be read, or is forgotten
    user_id     bigint,
    avatar_id   text,
    batch_id    text,
    priority    integer,
    photos      integer NOT NULL,          -- how many it is about
    state       text NOT NULL,             -- in_hand, answered, failed, dead, forgotten
    tries       integer NOT NULL,
    taken_at    timestamptz NOT NULL,
    settled_at  timestamptz,
    day         date,                      -- of settled_at, UTC
    subject     text,                      -- where the answer goes; NULL: there is nobody to tell
    answer      bytea,                     -- word for word: a redelivery gets the same again
    reason      text,                      -- why it is dead
    stored      integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    seconds     double precision NOT NULL DEFAULT 0,
    codes       jsonb NOT NULL DEFAULT '{}',  -- failed photos, or the failed request, by error code
    PRIMARY KEY (stream, sequence, sent_at)
);
CREATE INDEX IF NOT EXISTS idx_user_media_requests_user ON user_media_requests (user_id);
CREATE INDEX IF NOT EXISTS idx_user_media_requests_day ON user_media_requests (day);

CREATE TABLE IF NOT EXISTS user_media_photos (
    stream          text NOT NULL,
    sequence        bigint NOT NULL,
    sent_at         timestamptz NOT NULL,
    n               integer NOT NULL,      -- its place in the request, from 0
    bot_id          bigint NOT NULL,
    user_id         bigint NOT NULL,
    avatar_id       text NOT NULL,
    file_id         text NOT NULL,
    file_unique_id  text,                  -- Telegram's name of the content, the same for all bots
    key             text NOT NULL,
    bytes           bigint NOT NULL,
    sha256          text NOT NULL,
    content_type    text NOT NULL,
    seconds         double precision NOT NULL,
    stored_at       timestamptz NOT NULL,
    PRIMARY KEY (stream, sequence, sent_at, n)
);
CREATE INDEX IF NOT EXISTS idx_user_media_photos_user ON user_media_photos (user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON user_media_requests, user_media_photos TO scraper;
"""


def upgrade() -> None:
    """Make what is missing."""
    op.execute(TABLES)
