"""`catalog_days`: the counts of each brand, one row per UTC day, from which the report shows growth.

The current counts are in `totals.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.reports.totals import BrandTotals, StorageTotals

_COLUMNS = {"with_collage": "glued", "to_index": "wanted"}  # of fields with other names


@dataclass(frozen=True, slots=True)
class CatalogDay:
    """A brand's counts on a day. `counted_at`: when `stored` was counted, which not every report does."""

    brand: str
    day: date
    totals: BrandTotals
    stored: StorageTotals
    counted_at: datetime


def record(cursor: Cursor, brand: str, totals: BrandTotals, stored: StorageTotals, counted_at: datetime) -> None:
    """Write today's counts of a brand; a later call on the same day replaces them."""
    cursor.execute(
        """
        INSERT INTO catalog_days (brand, day, looked_at, active, inactive, photographed, glued, wanted, indexed,
                                  published, photos, collages, bytes, counted_at)
        VALUES (%(brand)s, to_date_immutable(unde_now()), unde_now(), %(active)s, %(inactive)s, %(photographed)s,
                %(with_collage)s, %(to_index)s, %(indexed)s, %(published)s, %(photos)s, %(collages)s, %(bytes)s,
                %(counted_at)s)
        ON CONFLICT (brand, day) DO UPDATE SET
            looked_at = excluded.looked_at, active = excluded.active, inactive = excluded.inactive,
            photographed = excluded.photographed, glued = excluded.glued, wanted = excluded.wanted,
            indexed = excluded.indexed, published = excluded.published, photos = excluded.photos,
            collages = excluded.collages, bytes = excluded.bytes, counted_at = excluded.counted_at
        """,
        {
            "brand": brand,
            "counted_at": counted_at,
            **{name: getattr(totals, name) for name in BrandTotals.__slots__},
            **{name: getattr(stored, name) for name in StorageTotals.__slots__},
        },
    )


def days(cursor: Cursor, brand: str, limit: int) -> list[CatalogDay]:
    """A brand's newest days, at most `limit`, the oldest first; days without a report are missing."""
    cursor.execute("SELECT * FROM catalog_days WHERE brand = %s ORDER BY day DESC LIMIT %s", (brand, limit))
    return [_day(row) for row in reversed(cursor.fetchall())]


def ago(known: Sequence[CatalogDay], today: date, days: int) -> CatalogDay | None:
    """The day that was `days` ago, or the last day with a report in the week before it; None if there is none."""
    target = today - timedelta(days=days)
    candidates = [one for one in known if target - timedelta(days=7) < one.day <= target]
    return candidates[-1] if candidates else None


def _day(row: dict[str, Any]) -> CatalogDay:
    totals = BrandTotals(**{name: row[_COLUMNS.get(name, name)] for name in BrandTotals.__slots__})
    stored = StorageTotals(**{name: row[name] for name in StorageTotals.__slots__})
    return CatalogDay(row["brand"], row["day"], totals, stored, row["counted_at"])
