"""Whether the vector store finds what the catalogue has: a store that lost photos answers as if there were none.

The staging database is what the store is compared with; both are written by the visual_index stage.
"""

from time import monotonic

from unde_catalog.services.search.context import Context
from unde_catalog.services.search.middleware.request_log import LOG
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stages.visual_index.vector_store import SIZE, Filters
from unde_catalog.stores.staging.index import search_rows, vectors

_TEST_VECTOR = [1.0] + [0.0] * (SIZE - 1)  # any direction will do
_LOG_SECONDS = 60.0  # between two warnings
_REMEDY = "run unde-catalog vectors status, then unde-catalog vectors rebuild"


class IndexCheck:
    """Compares what searches find with the staging database. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._warned = -_LOG_SECONDS

    def compare(self, model: str, filters: Filters, found: int, wanted: int) -> None:
        """Warn if a search for `wanted` products found fewer than match its filters.

        Costs a query, so only for a search that found fewer than it wanted.
        """
        expected = self._context.db.read(vectors.count_embedded, model, filters, wanted)
        if found >= expected:
            return
        self._context.metrics.incomplete.inc()
        if monotonic() >= self._warned + _LOG_SECONDS:
            self._warned = monotonic()
            message = f"a search found {found} products, but the catalogue has at least {expected}; {_REMEDY}"
            fields = {"check": "vectors", "code": "vectors_incomplete", "message": message, "model": model}
            LOG.warning("health", extra={"fields": fields})

    def check(self, model: str) -> None:
        """Raise a `Problem` if a search by a brand finds nothing although photos of it are embedded."""
        brand = self._context.db.read(search_rows.embedded_brand, model)
        filters = Filters(brands=[] if brand is None else [brand])
        if not self._context.vectors.search(model, _TEST_VECTOR, filters, top_k=1) and brand is not None:
            raise Problem(503, "vectors_incomplete", "The vector index does not find photos that the catalogue has.")
