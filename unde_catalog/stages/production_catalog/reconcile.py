"""Whether production shows of a brand what staging knows to be published."""

from dataclasses import dataclass

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.production import catalog
from unde_catalog.stores.staging import publishing


@dataclass(frozen=True, slots=True)
class Agreement:
    """Products on sale in production; active and synced in staging; and those whose change is still to be published."""

    on_sale: int
    synced: int
    waiting: int

    @property
    def holds(self) -> bool:
        """Whether the difference is no more than what is still to come."""
        return abs(self.on_sale - self.synced) <= self.waiting

    @property
    def sentence(self) -> str:
        """The figures, and what to do where they disagree."""
        figures = f"{self.on_sale} on sale, {self.synced} synced, {self.waiting} still to be published"
        if self.holds:
            return figures
        return (
            f"{figures}: somebody else wrote one of the databases, or lost it; force publishes all of the brand again"
        )


def compare(brand: str, db: Database, production: Database) -> Agreement:
    """How it stands now."""
    on_sale = production.run(catalog.on_sale, brand)
    synced, waiting = db.run(publishing.sync_counts, brand)
    return Agreement(on_sale, synced, waiting)
