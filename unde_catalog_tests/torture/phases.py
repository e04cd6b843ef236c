"""The phase of a running command, as observed in the database and the object store."""

from typing import Any

import psycopg

from unde_catalog_tests.torture.trial_system import TrialSystem

STARTING = "starting or ending"
PHASES = {
    "raw_products": ("starting Apify's run", "reading", "merging", "in a transaction"),
    "originals": (
        "downloading", "uploading", "intent on disk, object not", "object stored, row not", "photos change places",
        "in a transaction",
    ),
    "collages": ("gluing", "uploading", "object stored, row not", "in a transaction"),
}  # fmt: skip

_TRANSACTIONS = """
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
      AND xact_start IS NOT NULL AND usename <> current_user AND query <> ''
"""
_LEASED = "SELECT count(*) AS n FROM due_work WHERE stage = %s AND leased_until > unde_now()"
_SCRAPES = "SELECT state, staged FROM scrapes WHERE leased_until > unde_now()"
_INTENTS = """
    SELECT i.key, i.sha256 FROM photo_intents i JOIN due_work w ON w.product_id = i.product_id
    WHERE w.stage = 'originals' AND w.leased_until > unde_now()
"""
_GLUED = """
    SELECT 'collages/' || p.brand || '/' || p.external_id || '.jpg' AS key, c.sha256
    FROM due_work w JOIN raw_products p ON p.id = w.product_id LEFT JOIN product_collages c ON c.product_id = p.id
    WHERE w.stage = 'collages' AND w.leased_until > unde_now()
"""


class Window:
    """Observes a running stage. `phases()` takes a millisecond or two."""

    def __init__(self, system: TrialSystem, stage: str) -> None:
        self._system, self._stage = system, stage
        self._db = system.connect()
        self._unfinished = self._unfinished_files()

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def phases(self) -> set[str]:
        """The phases that the stage is in."""
        try:
            return self._phases() or {STARTING}
        except psycopg.OperationalError:
            return {"without a database"}

    def _phases(self) -> set[str]:
        found = {"in a transaction"} if self._rows(_TRANSACTIONS)[0]["n"] else set()
        if self._stage == "raw_products":
            for scrape in self._rows(_SCRAPES):
                intended = scrape["state"] == "intended"
                found.add("starting Apify's run" if intended else "merging" if scrape["staged"] else "reading")
            return found
        if not self._rows(_LEASED, self._stage)[0]["n"]:
            return found
        found.add("downloading" if self._stage == "originals" else "gluing")
        if self._unfinished_files() - self._unfinished:
            found.add("uploading")
        if self._stage == "originals":
            for row in self._rows(_INTENTS):
                stored = self._hash(row["key"]) == row["sha256"]
                found.add("object stored, row not" if stored else "intent on disk, object not")
            if any((self._system.objects / "originals").glob("*/*/aside-*")):
                found.add("photos change places")
        elif any(self._hash(row["key"]) not in (None, row["sha256"]) for row in self._rows(_GLUED)):
            found.add("object stored, row not")
        return found

    def _rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return self._db.execute(sql.encode(), values or None).fetchall()

    def _unfinished_files(self) -> set[str]:
        return {path.name for path in (self._system.objects / ".unfinished").glob("*")}

    def _hash(self, key: str) -> str | None:
        try:
            return self._system.hash_of(self._system.objects / key)
        except FileNotFoundError:
            return None
