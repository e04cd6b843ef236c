"""The service's numbers for Prometheus. What is counted when, is said by `consumer.py`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from unde_catalog.services.user_media.messages import Header
from unde_catalog.stores.staging.user_media.requests import SettledRequest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_PHOTOS = (1, 2, 5, 10, 20, 50, 100)


class UserMediaMetrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self._batches = Counter("user_media_batches", "Batches that ended", ["state"], registry=one)
        self._batch_size = Histogram("user_media_batch_size", "Photos of a batch", buckets=_PHOTOS, registry=one)
        self._batch_seconds = Histogram(
            "user_media_batch_seconds", "Seconds of a batch", buckets=_SECONDS, registry=one
        )
        self._files = Counter("user_media_batch_files", "Photos of batches", ["outcome"], registry=one)
        self._singles = Counter("user_media_singles", "Single photos", ["outcome"], registry=one)
        self._single_seconds = Histogram(
            "user_media_single_seconds", "Seconds until a single photo is stored", buckets=_SECONDS, registry=one
        )
        self._bytes = Counter("user_media_stored_bytes", "Bytes stored", ["header"], registry=one)
        self._failures = Counter("user_media_failures", "Photos and requests that failed", ["code"], registry=one)
        self._dead = Counter("user_media_dead_letters", "Requests put aside", registry=one)
        self._repeats = Counter("user_media_answers_repeated", "Answers sent again, word for word", registry=one)
        self._again = Counter("user_media_deliveries_put_off", "Deliveries left to a later one", ["why"], registry=one)
        self._in_hand = Gauge("user_media_in_hand", "Requests in hand", ["header"], registry=one)
        self._connected = Gauge(
            "user_media_connected", "1 while NATS is connected and its streams are there", registry=one
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
        """An answer went out again."""
        self._repeats.inc()

    def put_off(self, why: str) -> None:
        """A delivery was not ended; `why` is one of a few words."""
        self._again.labels(why).inc()

    def in_hand(self, header: Header, change: int) -> None:
        """A request more or less in hand."""
        self._in_hand.labels(header).inc(change)

    def connected(self, yes: bool) -> None:
        """Whether requests can be taken."""
        self._connected.set(yes)

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self.registry)
