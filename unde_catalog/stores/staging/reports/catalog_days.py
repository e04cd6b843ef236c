"""`catalog_days`: how each brand stood, a row a UTC day, so that growth costs nothing to look up.

How a brand stands now is counted in `totals.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.reports.totals import BrandTotals, StorageTotals


@dataclass(frozen=True, slots=True)
class CatalogDay:
    """A brand on a day; `counted_at` is when `stored` was counted, which is not done at every look."""

    brand: str
    day: date
    standing: BrandTotals
    stored: StorageTotals
    counted_at: datetime


def record(cursor: Cursor, brand: str, standing: BrandTotals, stored: StorageTotals, counted_at: datetime) -> None:
    """Write how a brand stands now; a later look on the same day replaces it."""
    cursor.execute(
        """
        INSERT INTO catalog_days (brand, day, looked_at, active, inactive, photographed, glued, wanted, indexed,
                                  published, photos, collages, bytes, counted_at)
        VALUES (%(brand)s, to_date_immutable(unde_now()), unde_now(), %(active)s, %(inactive)s, %(photographed)s,
                %(glued)s, %(wanted)s, %(indexed)s, %(published)s, %(photos)s, %(collages)s, %(bytes)s, %(counted_at)s)
        ON CONFLICT (brand, day) DO UPDATE SET
            looked_at = excluded.looked_at, active = excluded.active, inactive = excluded.inactive,
            photographed = excluded.photographed, glued = excluded.glued, wanted = excluded.wanted,
            indexed = excluded.indexed, published = excluded.published, photos = excluded.photos,
            collages = excluded.collages, bytes = excluded.bytes, counted_at = excluded.counted_at
        """,
        {
            "brand": brand,
            "counted_at": counted_at,
            **{name: getattr(standing, name) for name in BrandTotals.__slots__},
            **{name: getattr(stored, name) for name in StorageTotals.__slots__},
        },
    )


def days(cursor: Cursor, brand: str, most: int) -> list[CatalogDay]:
    """A brand's newest days, at most so many, the oldest first; days without a look are missing."""
    cursor.execute("SELECT * FROM catalog_days WHERE brand = %s ORDER BY day DESC LIMIT %s", (brand, most))
    return [_day(row) for row in reversed(cursor.fetchall())]


def ago(known: Sequence[CatalogDay], today: date, days: int) -> CatalogDay | None:
    """How it stood so many days ago: that day, or the last one before it that was looked at, a week back at the most.

    None where nobody looked then.
    """
    wanted = today - timedelta(days=days)
    near = [one for one in known if wanted - timedelta(days=7) < one.day <= wanted]
    return near[-1] if near else None


def _day(row: dict[str, Any]) -> CatalogDay:
    standing = BrandTotals(**{name: row[name] for name in BrandTotals.__slots__})
    stored = StorageTotals(**{name: row[name] for name in StorageTotals.__slots__})
    return CatalogDay(row["brand"], row["day"], standing, stored, row["counted_at"])
