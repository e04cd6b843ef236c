"""The production_catalog stage: publishes a brand's validated products and stock to the production database.

The rules are in `product_rules.py` and `brand_rules.py`. A brand is published completely or not at all: due products
are validated in chunks, copied into incoming tables next to the catalogue and merged in one transaction; then the
outcome is written back to staging.
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.configured import why_not_configured
from unde_catalog.stages.production_catalog import publish_gate, write_back
from unde_catalog.stages.production_catalog.limits import limits_of
from unde_catalog.stages.production_catalog.product_rules import Candidate, violations
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.production import catalog, incoming, publications
from unde_catalog.stores.production.incoming import ValidatedProduct
from unde_catalog.stores.production.publications import Claim, PublicationTakenOver
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.products import scrapes
from unde_catalog.stores.staging.publishing import ProductToPublish
from unde_catalog.stores.staging.stock import brand_stores, stock_rows
from unde_catalog.stores.staging.stock.stock_rows import StockRow
from unde_catalog.worker.handler import PauseStage, StageStopped
from unde_catalog.worker.loop import apply_run_options
from unde_catalog.worker.report import RunOptions, StageReport

STAGE = "production_catalog"

CHUNK_SIZE = 1_000  # products in memory at once, and in one short transaction
_CLAIM = timedelta(minutes=2)  # lease of the brand, renewed with every chunk
_LEASE = timedelta(hours=1)  # of the due rows; after a crash, the next run of the brand releases them earlier
_STOCK_AGE = timedelta(days=2)  # every product is checked hourly, so older stock is outdated
_OVERLAP = timedelta(
    minutes=10
)  # for availability that was fetched earlier but committed later than the last published row


def run(stage_run: StageRun) -> StageReport:
    """Publish the brand's due products; see `BrandPublisher.publish`."""
    brand, backends = stage_run.brand, stage_run.backends
    if backends.production is None:
        return StageReport(STAGE, brand, note=why_not_configured(STAGE, brand, backends.settings) or "")
    limits = limits_of(brand, backends.settings)
    return BrandPublisher(brand, backends.db, backends.production, limits, stage_run.options, stage_run.log).publish()


class BrandPublisher:
    """One run of the stage: its options, its databases and its report."""

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
        """Publish the brand's due products; `StageStopped` if its gate is closed or a database cannot be used.

        If another run is publishing the brand, this one does nothing. `limit` and `product_ids` publish only those
        products. If `max_minutes` pass before everything is prepared, nothing is published.
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
        except (
            publish_gate.PublishGateClosed,
            catalog.IncomingLost,
            PublicationTakenOver,
            DatabaseUnavailable,
        ) as cause:
            raise StageStopped(report, cause) from cause
        finally:
            report.seconds = time.monotonic() - self._started
        return report

    def _publish(self, claim: Claim) -> None:
        self._recover(claim)
        self.only = apply_run_options(STAGE, self.db, self.brand, self.options)
        if self.db.run(scrapes.is_merging, self.brand):
            raise PauseStage("a scrape of this brand is being merged: the next run publishes it")
        publish_gate.require(self.brand, self.db, self.production, self.limits)
        publication = self.production.run(publications.begin, claim)
        try:
            prepared = self._prepare_products(claim, publication)
            stock_to = self._prepare_stock(claim, publication) if self._is_complete else None
            stores = self.db.run(brand_stores.of_brand, self.brand)
            counts = self.production.run(
                catalog.merge, claim, publication, prepared, stores, stock_to
            )  # fmt: skip
        except BaseException:
            self._abandon(claim)
            raise
        self.report.counts.update(counts)
        self.log.info("%s: merged %s", self.brand, dict(counts) or "nothing")
        write_back.settle(self.db, self.production, claim, publication, self.report)

    def _recover(self, claim: Claim) -> None:
        """Finish what a killed run left: settle merged publications, delete open ones and release their leases."""
        for publication in self.production.run(publications.unsettled, claim):
            write_back.settle(self.db, self.production, claim, publication, self.report)
            self.log.info("%s: settled publication %d of a run that was killed", self.brand, publication)
        self.production.run(publications.abandon_open, claim)
        self.db.run(work_queue.release_all, STAGE, self.brand)

    def _abandon(self, claim: Claim) -> None:
        """Release this run's leases, unless another run has taken the brand over or a database is unavailable."""
        try:
            self.production.run(publications.renew, claim)
            # If the merge was committed after all, the publication stays for the next run to settle.
            if not self.production.run(publications.unsettled, claim):
                self.production.run(publications.abandon_open, claim)
                self.report.released += self.db.run(work_queue.release_all, STAGE, self.brand)
        except (DatabaseUnavailable, PublicationTakenOver) as error:
            self.log.warning("the next run of %s deletes what this one prepared: %s", self.brand, error)

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[Claim | None]:
        """Release the claim however the run ends, so that the next run need not wait for it to expire."""
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
    def _is_complete(self) -> bool:
        return self.options.limit is None and self.options.product_ids is None

    def _prepare_products(self, claim: Claim, publication: int) -> int:
        """Validate all due products, chunk by chunk, and copy them into the incoming tables; how many."""
        prepared = 0
        while (size := self._chunk_size(prepared)) > 0:
            self._check_time()
            validated, stock = self.db.run(self._next_chunk, size)
            if not validated:
                break
            self.production.run(incoming.add, claim, publication, validated, stock)
            prepared += len(validated)
            self.log.info("%s: %d products validated", self.brand, prepared)
        return prepared

    def _chunk_size(self, prepared: int) -> int:
        limit = self.options.limit
        return CHUNK_SIZE if limit is None else min(CHUNK_SIZE, limit - prepared)

    def _next_chunk(self, cursor: Cursor, size: int) -> tuple[list[ValidatedProduct], list[StockRow]]:
        leases = work_queue.take(cursor, STAGE, self.brand, size, _LEASE, self.only)
        tokens = {lease.product_id: lease.token for lease in leases}
        products = publishing.load(cursor, list(tokens)) if leases else []
        validated = [self._validate(product, tokens[product.id]) for product in products]
        on_sale = [one.product.external_id for one in validated if one.verdict == "publish"]
        # Earlier publications skipped the stock of products that were not on sale yet.
        return validated, stock_rows.of_products(cursor, self.brand, on_sale, _STOCK_AGE) if on_sale else []

    def _validate(self, product: ProductToPublish, token: str) -> ValidatedProduct:
        if not product.active:
            return ValidatedProduct(product, token, "left")
        try:
            violated = list(violations(candidate(product), self.limits))
        except Exception as error:  # one product must not stop the whole brand
            self.log.exception("unexpected error in %s/%s", self.brand, product.external_id)
            return ValidatedProduct(
                product, token, "error", "unexpected_error", work_queue.storable(f"{type(error).__name__}: {error}")
            )
        if not violated:
            return ValidatedProduct(product, token, "publish")
        return ValidatedProduct(
            product, token, "skip", violated[0].reason, "; ".join(rule.message for rule in violated)
        )

    def _prepare_stock(self, claim: Claim, publication: int) -> datetime | None:
        """Copy all availability since the last publication into the incoming tables, in pages; its latest time."""
        after, after_id = claim.availability_to, 0
        if after is not None:
            after -= _OVERLAP
        last = claim.availability_to
        while True:
            self._check_time()
            page: Sequence[StockRow] = self.db.run(
                stock_rows.next_page, self.brand, after, after_id, _STOCK_AGE
            )  # fmt: skip
            if not page:
                return last
            self.production.run(incoming.add, claim, publication, [], page)
            after, after_id = page[-1].fetched_at, page[-1].id
            last = after if last is None else max(last, after)

    def _check_time(self) -> None:
        minutes = self.options.max_minutes
        if minutes is not None and time.monotonic() - self._started >= 60 * minutes:
            raise PauseStage("max_minutes passed before everything was prepared: nothing was published")


def candidate(product: ProductToPublish) -> Candidate:
    """What the rules read of a product."""
    return Candidate(
        product.name, product.category, product.price, product.currency, product.former_price, product.photos,
        product.unseen_for,
    )  # fmt: skip
