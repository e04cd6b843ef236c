"""Prometheus metrics of the search API. Labels contain the route's template, never a path."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.075, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10)  # seconds


class SearchMetrics:
    """The metrics of one application, in its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "unde_search_requests", "Completed requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "unde_search_request_seconds", "Time from the request to the end of the response", ["route"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.steps = Histogram(
            "unde_search_step_seconds", "Time per step of a search: embed, search, enrich", ["step"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.in_progress = Gauge("unde_search_requests_in_hand", "Requests in progress", registry=self.registry)
        self.refused = Counter(
            "unde_search_photos_refused", "Uploaded photos that were rejected", ["reason"], registry=self.registry
        )
        self.incomplete = Counter(
            "unde_search_incomplete", "Searches that found fewer products than the catalogue has for their filters",
            registry=self.registry,
        )  # fmt: skip
        self.limited = Counter(
            "unde_search_requests_limited", "Requests rejected by a rate limit, per kind of limit", ["by"],
            registry=self.registry,
        )  # fmt: skip

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
