"""What is counted of requests, in Prometheus' terms. By the route's template, never by what stood in its place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.075, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10)


class SearchMetrics:
    """The counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "unde_search_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "unde_search_request_seconds", "From the request to the end of the answer", ["route"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.steps = Histogram(
            "unde_search_step_seconds", "What a search's time goes into: embed, search, enrich", ["step"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.in_hand = Gauge("unde_search_requests_in_hand", "Requests being answered", registry=self.registry)
        self.refused = Counter(
            "unde_search_photos_refused", "Photos that can't be searched by", ["reason"], registry=self.registry
        )
        self.limited = Counter(
            "unde_search_requests_limited", "Requests beyond the rate of their key or address", ["by"],
            registry=self.registry,
        )  # fmt: skip

    def exposition(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self.registry)
