"""Let the role ximilar use host_pace, so that Ximilar's requests are paced by the same table as those to stock APIs.

ximilar_pace is no longer used. It stays for workers that started before this migration.

Revision: 0020
"""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Grant the rights."""
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON host_pace TO ximilar")
