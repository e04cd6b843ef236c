"""Which vector store is used: Qdrant where its address is set, else pgvector in the staging database."""

from unde_catalog.backends import Backends
from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.vector_store import VectorStore


def open_mirror(backends: Backends) -> VectorStore | None:
    """The store beside the staging database, which the visual_index stage keeps up to date; None where there is none.

    `VectorStoreUnavailable` where it can't be reached.
    """
    settings = backends.settings
    if settings.qdrant_url is None:
        return None
    from unde_catalog.stages.visual_index.qdrant import open_qdrant  # it brings gRPC along

    return open_qdrant(str(settings.qdrant_url), settings.qdrant_api_key, backends.db)


def open_store(backends: Backends) -> VectorStore:
    """The store that searches are asked of; `VectorStoreUnavailable` where it can't be reached."""
    mirror = open_mirror(backends)
    return mirror if mirror is not None else PgvectorStore(backends.db)


def store_to_rebuild(backends: Backends) -> VectorStore:
    """The same for whoever owns the tables, past any pooler."""
    mirror = open_mirror(backends)
    return mirror if mirror is not None else PgvectorStore(backends.db, backends.backup_url())
