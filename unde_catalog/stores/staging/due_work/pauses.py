"""Pauses: which brands and stages an operator paused, since when and why.

What a pause stops is not here: schedules and sensors request no run, and a stage takes no product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from unde_catalog.stores.db.database import Cursor

ALL = "*"


@dataclass(frozen=True, slots=True)
class PausedWork:
    """A paused brand and stage, each `*` for all of them."""

    brand: str
    stage: str
    why: str
    paused_at: datetime

    def covers(self, stage: str, brand: str) -> bool:
        """Whether that stage of that brand is paused by it."""
        return self.stage in (ALL, stage) and self.brand in (ALL, brand)

    def sentence(self) -> str:
        """Since when, why, and how to end it."""
        named = (("brand", self.brand), ("stage", self.stage))
        options = "".join(f" --{name} {value}" for name, value in named if value != ALL)
        why = f" ({self.why})" if self.why else ""
        return f"paused since {self.paused_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{why}: unde-catalog resume{options}"


def pause(cursor: Cursor, brand: str, stage: str, why: str) -> None:
    """Pause a stage of a brand, each `*` for all. If it is paused already, only the reason changes."""
    cursor.execute(
        "INSERT INTO pauses (brand, stage, why, paused_at) VALUES (%s, %s, %s, unde_now())"
        " ON CONFLICT (brand, stage) DO UPDATE SET why = excluded.why",
        (brand, stage, why),
    )


def resume(cursor: Cursor, brand: str, stage: str) -> int:
    """End the pauses of a brand and a stage, each `*` for all, and narrower ones; returns their number.

    A wider pause stays: resuming zara does not end a pause of all brands.
    """
    cursor.execute(
        "DELETE FROM pauses WHERE %(brand)s IN ('*', brand) AND %(stage)s IN ('*', stage)",
        {"brand": brand, "stage": stage},
    )
    return cursor.rowcount


def end_one(cursor: Cursor, brand: str, stage: str) -> None:
    """End this very pause; narrower ones stay."""
    cursor.execute("DELETE FROM pauses WHERE brand = %s AND stage = %s", (brand, stage))


def all_pauses(cursor: Cursor) -> list[PausedWork]:
    """All pauses, the widest first."""
    cursor.execute("SELECT brand, stage, why, paused_at FROM pauses ORDER BY brand <> '*', stage <> '*', brand, stage")
    return [PausedWork(**row) for row in cursor.fetchall()]


def paused(cursor: Cursor, stage: str, brand: str) -> str | None:
    """Why a stage of a brand is paused and how to resume it, in one sentence; None if it is not paused."""
    return why_paused(all_pauses(cursor), stage, brand)


def why_paused(pauses: Sequence[PausedWork], stage: str, brand: str) -> str | None:
    """As `paused`, from pauses that were read before."""
    return next((pause.sentence() for pause in pauses if pause.covers(stage, brand)), None)
