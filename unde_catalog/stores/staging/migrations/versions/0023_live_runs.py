"""When a run was last alive, so that a killed one does not stay `running` in scraper_logs.

Runs from before this migration that have been `running` for more than a day count as alive until their start; a worker
that still runs writes its end over it. Rows of other programs have no such time and are left alone.

Revision: 0023
"""

from alembic import op

revision = "0023"
down_revision = "0022"

SQL = """
ALTER TABLE scraper_logs ADD COLUMN IF NOT EXISTS alive_at timestamptz;
CREATE INDEX IF NOT EXISTS idx_scraper_logs_running ON scraper_logs (scraper_name) WHERE status = 'running';
UPDATE scraper_logs SET alive_at = started_at
WHERE status = 'running' AND alive_at IS NULL AND started_at < unde_now() - interval '1 day' AND scraper_name ~
    '^(raw_products|raw_stores|originals|collages|ximilar_index|visual_index|availability|production_catalog|adoption)_';
"""


def upgrade() -> None:
    """Add the column, and let the next runs end the killed ones."""
    op.execute(SQL)
