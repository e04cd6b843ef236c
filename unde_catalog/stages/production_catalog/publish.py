"""The production_catalog stage: a brand's verified products and availability into the production database (spec 1).

What a product and a brand must be is in `rules.py` and `brand_rules.py`. A brand is published whole or not at all:
what is due is judged in chunks, laid beside the catalogue and merged in one transaction; then staging is told.
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.production_catalog import brand_gate, write_back
from unde_catalog.stages.production_catalog.limits import limits_of
from unde_catalog.stages.production_catalog.rules import Candidate, failures
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.production import catalog, incoming, publications
from unde_catalog.stores.production.incoming import ValidatedProduct
from unde_catalog.stores.production.publications import Claim, PublicationTakenOver
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.publishing import ProductToPublish
from unde_catalog.stores.staging.stock import brand_stores, stock_rows
from unde_catalog.stores.staging.stock.stock_rows import StockRow
from unde_catalog.worker.handler import PauseStage, StageStopped
from unde_catalog.worker.loop import apply_run_options
from unde_catalog.worker.report import RunOptions, StageReport

STAGE = "production_catalog"

CHUNK = 1_000  # products at once in memory, and in one short transaction
_CLAIM = timedelta(minutes=2)  # renewed with every chunk
_LEASE = timedelta(hours=1)  # of the due rows; whoever claims the brand after a death frees them before that
_STOCK_AGE = timedelta(days=2)  # every product is checked hourly: what is older says nothing of today
_OVERLAP = timedelta(minutes=10)  # availability that was fetched before what we saw, and committed after


def run(stage_run: StageRun) -> StageReport:
    """Publish what is due of the brand; as `Publishing.publish`."""
    brand, backends = stage_run.brand, stage_run.backends
    if backends.production is None:
        return StageReport(STAGE, brand, note=why_not_configured(STAGE, brand, backends.settings) or "")
    limits = limits_of(brand, backends.settings)
    return Publishing(brand, backends.db, backends.production, limits, stage_run.options, stage_run.log).publish()


class Publishing:
    """A run of the stage: what it was asked for, what it works with and what it counts."""

    def __init__(
        self, brand: str, db: Database, production: Database, limits: PublishFields, options: RunOptions,
        log: logging.Logger,
    ) -> None:  # fmt: skip
        self.brand, self.db, self.production, self.limits = brand, db, production, limits
        self.options, self.log = options, log
        self.report = StageReport(STAGE, brand)
        self.only: list[int] | None = None
        self._started = time.monotonic()

    def publish(self) -> StageReport:
        """Publish what is due of the brand; `StageStopped` where its gate is shut or a database can't be used.

        A brand that another run publishes now is left to it. `limit` and `product_ids` publish only those products;
        when `max_minutes` are over before all is prepared, nothing is published.
        """
        report = self.report
        try:
            with self._claimed() as claim:
                if claim is None:
                    report.leased_elsewhere = 1
                    report.note = "another run is publishing this brand"
                    return report
                try:
                    self._publish(claim)
                except PauseStage as pause:
                    report.note = str(pause)
            open_work = self.db.run(work_queue.count_open, STAGE, self.brand, self.only)
            report.still_due, report.leased_elsewhere = open_work.due, open_work.leased
        except (brand_gate.BrandGateFailed, catalog.IncomingLost, PublicationTakenOver, DatabaseUnavailable) as cause:
            raise StageStopped(report, cause) from cause
        finally:
            report.seconds = time.monotonic() - self._started
        return report

    def _publish(self, claim: Claim) -> None:
        self._clear_after_the_dead(claim)
        self.only = apply_run_options(STAGE, self.db, self.brand, self.options)
        if self.db.run(publishing.scrape_is_merging, self.brand):
            raise PauseStage("a scrape of this brand is being merged: the next run publishes it")
        brand_gate.require(self.brand, self.db, self.production, self.limits)
        publication = self.production.run(publications.begin, claim)
        try:
            prepared = self._prepare(claim, publication)
            stock_to = self._prepare_stock(claim, publication) if self._is_whole else None
            stores = self.db.run(brand_stores.of_brand, self.brand)
            counts = self.production.run(
                catalog.merge, claim, publication, prepared, stores, stock_to
            )  # fmt: skip
        except BaseException:
            self._give_up(claim)
            raise
        self.report.counts.update(counts)
        self.log.info("%s: merged %s", self.brand, dict(counts) or "nothing")
        write_back.settle(self.db, self.production, claim, publication, self.report)

    def _clear_after_the_dead(self, claim: Claim) -> None:
        """What was merged is settled, what was not is thrown away, and what was in hand for it is free."""
        for publication in self.production.run(publications.unsettled, claim):
            write_back.settle(self.db, self.production, claim, publication, self.report)
            self.log.info("%s: settled publication %d of a run that died", self.brand, publication)
        self.production.run(publications.abandon_open, claim)
        self.db.run(work_queue.release_all, STAGE, self.brand)

    def _give_up(self, claim: Claim) -> None:
        """Nobody is to wait for what we had in hand; unless it is somebody else's already, or a database is away."""
        try:
            self.production.run(publications.renew, claim)
            # An open publication only: if the merge got through after all, it stays, and the next run settles it.
            if not self.production.run(publications.unsettled, claim):
                self.production.run(publications.abandon_open, claim)
                self.report.released += self.db.run(work_queue.release_all, STAGE, self.brand)
        except (DatabaseUnavailable, PublicationTakenOver) as error:
            self.log.warning("what was prepared of %s is cleared away by the next run: %s", self.brand, error)

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[Claim | None]:
        """However it ends, the next one need not wait for our claim to run out."""
        claim = self.production.run(publications.claim, self.brand, self.options.root_run, _CLAIM)
        try:
            yield claim
        finally:
            if claim is not None:
                try:
                    self.production.run(publications.release, claim)
                except DatabaseUnavailable as error:
                    self.log.warning("%s stays claimed for %s: %s", self.brand, _CLAIM, error)

    @property
    def _is_whole(self) -> bool:
        return self.options.limit is None and self.options.product_ids is None

    def _prepare(self, claim: Claim, publication: int) -> int:
        """Judge all that is due, chunk by chunk, and lay it beside the catalogue; how many."""
        prepared = 0
        while (most := self._most(prepared)) > 0:
            self._stop_in_time()
            judged, stock = self.db.run(self._next_chunk, most)
            if not judged:
                break
            self.production.run(incoming.add, claim, publication, judged, stock)
            prepared += len(judged)
            self.log.info("%s: %d products verified", self.brand, prepared)
        return prepared

    def _most(self, prepared: int) -> int:
        limit = self.options.limit
        return CHUNK if limit is None else min(CHUNK, limit - prepared)

    def _next_chunk(self, cursor: Cursor, most: int) -> tuple[list[ValidatedProduct], list[StockRow]]:
        leases = work_queue.take(cursor, STAGE, self.brand, most, _LEASE, self.only)
        tokens = {lease.product_id: lease.token for lease in leases}
        products = publishing.load(cursor, list(tokens)) if leases else []
        judged = [self._judge(product, tokens[product.id]) for product in products]
        on_sale = [one.product.external_id for one in judged if one.verdict == "publish"]
        # Of a product that was not on sale until now, older stock was passed by.
        return judged, stock_rows.of_products(cursor, self.brand, on_sale, _STOCK_AGE) if on_sale else []

    def _judge(self, product: ProductToPublish, token: str) -> ValidatedProduct:
        if not product.active:
            return ValidatedProduct(product, token, "left")
        try:
            found = list(failures(candidate(product), self.limits))
        except Exception as error:  # one odd product holds up no brand
            self.log.exception("unexpected error at %s/%s", self.brand, product.external_id)
            return ValidatedProduct(
                product, token, "error", "unexpected_error", work_queue.storable(f"{type(error).__name__}: {error}")
            )
        if not found:
            return ValidatedProduct(product, token, "publish")
        return ValidatedProduct(product, token, "skip", found[0].reason, "; ".join(one.sentence for one in found))

    def _prepare_stock(self, claim: Claim, publication: int) -> datetime | None:
        """Lay all availability beside that is new since the last publication, in pages; how far it goes now."""
        after, after_id = claim.availability_to, 0
        if after is not None:
            after -= _OVERLAP
        last = claim.availability_to
        while True:
            self._stop_in_time()
            page: Sequence[StockRow] = self.db.run(
                stock_rows.next_page, self.brand, after, after_id, _STOCK_AGE
            )  # fmt: skip
            if not page:
                return last
            self.production.run(incoming.add, claim, publication, [], page)
            after, after_id = page[-1].fetched_at, page[-1].id
            last = after if last is None else max(last, after)

    def _stop_in_time(self) -> None:
        minutes = self.options.max_minutes
        if minutes is not None and time.monotonic() - self._started >= 60 * minutes:
            raise PauseStage("max_minutes were over before all was prepared: nothing was published")


def candidate(product: ProductToPublish) -> Candidate:
    """What is verified of a product."""
    return Candidate(
        product.name, product.category, product.price, product.currency, product.former_price, product.photos,
        product.unseen_for,
    )  # fmt: skip
