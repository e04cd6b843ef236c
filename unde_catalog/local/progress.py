"""The progress of the stages, read from the staging database while runs work, as a table for the terminal."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rich.table import Table

from unde_catalog.brands import BRANDS
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.reports import overview


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage of a brand: products done, failed and to do, the current rate, and seconds left (None: unknown)."""

    done: int
    failed: int
    to_do: int
    per_second: float
    seconds_left: float | None

    def __str__(self) -> str:
        """E.g. `12 done, 1 failed, 3.4/s, 0:00:05 left`."""
        parts = [f"{self.done} done"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.to_do:
            parts.append(f"{self.to_do} to do")
            if self.seconds_left is not None:
                parts.append(f"{self.per_second:.1f}/s, {timedelta(seconds=round(self.seconds_left))} left")
        return ", ".join(parts)


@dataclass(slots=True)
class ProgressView:
    """Reads progress repeatedly; rates count from the first read at which a stage had leased products."""

    db: Database
    clock: Callable[[], float] = time.monotonic
    _began: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def read(self) -> dict[str, dict[str, StageProgress]]:
        """Progress by brand and stage, for stages that have begun."""
        counts = self.db.run(overview.stage_counts)
        found: dict[str, dict[str, StageProgress]] = {}
        for brand in BRANDS:
            for stage in DUE_STAGES:
                if row := counts.get((brand, stage)):
                    found.setdefault(brand, {})[stage] = self._progress((brand, stage), row)
        return found

    def _progress(self, key: tuple[str, str], row: dict[str, int]) -> StageProgress:
        failed = row["given_up"] + row["waiting"]
        to_do = row["due"] + row["in_hand"]
        now, handled = self.clock(), row["done"] + failed
        if row["in_hand"] and key not in self._began:
            self._began[key] = (now, handled)
        since, before = self._began.get(key, (now, handled))
        per_second = (handled - before) / (now - since) if now > since else 0.0
        return StageProgress(row["done"], failed, to_do, per_second, to_do / per_second if per_second else None)


def table(progress: dict[str, dict[str, StageProgress]], products: dict[str, dict[str, int]]) -> Table:
    """A row for each brand, a column for each stage."""
    result = Table("brand", "raw_products", *DUE_STAGES, title="unde_catalog")
    for brand in BRANDS:
        stages = progress.get(brand, {})
        collected = products.get(brand, {}).get("active", 0)
        cells = [str(stages[stage]) if stage in stages else "" for stage in DUE_STAGES]
        result.add_row(BRANDS[brand].name, f"{collected} products" if collected else "", *cells)
    return result
