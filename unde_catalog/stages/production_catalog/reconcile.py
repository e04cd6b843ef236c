"""Compares the products on sale in production with those that staging marks as published."""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging import publishing


@dataclass(frozen=True, slots=True)
class SyncComparison:
    """Products on sale in production; active and synced in staging; and those with an unpublished change (waiting)."""

    on_sale: int
    synced: int
    waiting: int

    @property
    def matches(self) -> bool:
        """Whether the unpublished changes can explain the difference."""
        return abs(self.on_sale - self.synced) <= self.waiting

    @property
    def message(self) -> str:
        """The figures and, if they do not match, what to do."""
        figures = f"{self.on_sale} on sale, {self.synced} synced, {self.waiting} still to be published"
        if self.matches:
            return figures
        return (
            f"{figures}: another program changed one of the databases, or rows were lost; publish with force to write "
            "the whole brand again"
        )


def compare(brand: str, db: Database, production: Database) -> SyncComparison:
    """The brand's current numbers."""
    on_sale = production.run(catalog.on_sale, brand)
    synced, waiting = db.run(publishing.sync_counts, brand)
    return SyncComparison(on_sale, synced, waiting)
