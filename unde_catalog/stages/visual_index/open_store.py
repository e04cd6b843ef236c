"""Opens the configured vector store: Qdrant if QDRANT_URL is set, otherwise pgvector in the staging database."""

from unde_catalog.backends import Backends
from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.vector_store import VectorStore


def open_mirror(backends: Backends) -> VectorStore | None:
    """Qdrant, which the visual_index stage keeps up to date with the staging database; None if it is not configured.

    Raises `VectorStoreUnavailable`.
    """
    settings = backends.settings
    if settings.qdrant_url is None:
        return None
    from unde_catalog.stages.visual_index.qdrant import open_qdrant  # it imports gRPC

    return open_qdrant(str(settings.qdrant_url), settings.qdrant_api_key, backends.db)


def open_store(backends: Backends) -> VectorStore:
    """The store that searches query; raises `VectorStoreUnavailable`."""
    mirror = open_mirror(backends)
    return mirror if mirror is not None else PgvectorStore(backends.db)


def store_to_rebuild(backends: Backends) -> VectorStore:
    """The store for `rebuild`: a direct connection as the owner of the tables."""
    mirror = open_mirror(backends)
    return mirror if mirror is not None else PgvectorStore(backends.db, backends.backup_url())
