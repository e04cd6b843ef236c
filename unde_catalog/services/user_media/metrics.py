"""The service's metrics for Prometheus. `consumer.py` decides when each of them changes."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from unde_catalog.services.user_media.messages import Header
from unde_catalog.stores.staging.user_media.media_requests import SettledRequest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_PHOTOS = (1, 2, 5, 10, 20, 50, 100)


class UserMediaMetrics:
    """The metrics of one process, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._batches = Counter("user_media_batches", "Batches that ended", ["state"], registry=registry)
        self._batch_size = Histogram("user_media_batch_size", "Photos in a batch", buckets=_PHOTOS, registry=registry)
        self._batch_seconds = Histogram(
            "user_media_batch_seconds", "Seconds to process a batch", buckets=_SECONDS, registry=registry
        )
        self._files = Counter("user_media_batch_files", "Photos in batches", ["outcome"], registry=registry)
        self._singles = Counter("user_media_singles", "Single photos", ["outcome"], registry=registry)
        self._single_seconds = Histogram(
            "user_media_single_seconds", "Seconds until a single photo is stored", buckets=_SECONDS, registry=registry
        )
        self._bytes = Counter("user_media_stored_bytes", "Bytes stored", ["header"], registry=registry)
        self._failures = Counter("user_media_failures", "Photos and requests that failed", ["code"], registry=registry)
        self._dead = Counter("user_media_dead_letters", "Requests moved to the dead-letter subject", registry=registry)
        self._repeated = Counter(
            "user_media_answers_repeated", "Results published again, with the same bytes", registry=registry
        )
        self._redelivered = Counter(
            "user_media_deliveries_put_off", "Deliveries that did not end the request", ["why"], registry=registry
        )
        self._in_progress = Gauge("user_media_in_hand", "Requests being processed", ["header"], registry=registry)
        self._connected = Gauge(
            "user_media_connected", "1 while NATS is connected and the streams are declared", registry=registry
        )

    def ended(self, header: Header, photos: int, settled: SettledRequest) -> None:
        """A request ended in this process."""
        if header == "train":
            self._batches.labels(settled.state).inc()
            self._batch_size.observe(photos)
            self._batch_seconds.observe(settled.seconds)
            self._files.labels("stored").inc(settled.stored)
            self._files.labels("failed").inc(settled.failed)
        else:
            self._singles.labels("stored" if settled.stored else "failed").inc()
            if settled.stored:
                self._single_seconds.observe(settled.seconds)
        self._bytes.labels(header).inc(settled.bytes)
        for code, count in settled.codes.items():
            self._failures.labels(code).inc(count)
        if settled.reason is not None:
            self._dead.inc()

    def repeated(self) -> None:
        """A result was published again."""
        self._repeated.inc()

    def redelivered(self, why: str) -> None:
        """A delivery did not end its request; `why`: to_come, database, store, nats or bug."""
        self._redelivered.labels(why).inc()

    def in_progress(self, header: Header, change: int) -> None:
        """Add `change` to the requests being processed."""
        self._in_progress.labels(header).inc(change)

    def connected(self, yes: bool) -> None:
        """Set whether requests can be pulled."""
        self._connected.set(yes)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
