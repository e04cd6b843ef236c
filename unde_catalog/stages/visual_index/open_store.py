"""Which vector store is used: Qdrant where its address is set, else pgvector in the staging database."""

from unde_catalog.backends import Workplace
from unde_catalog.stages.visual_index.pgvector import PgvectorStore
from unde_catalog.stages.visual_index.vector_store import VectorStore


def open_mirror(workplace: Workplace) -> VectorStore | None:
    """The store beside the staging database, which the visual_index stage keeps up to date; None where there is none.

    `VectorsDown` where it can't be reached.
    """
    settings = workplace.settings
    if settings.qdrant_url is None:
        return None
    from unde_catalog.stages.visual_index.qdrant import open_qdrant  # it brings gRPC along

    return open_qdrant(str(settings.qdrant_url), settings.qdrant_api_key, workplace.db)


def open_store(workplace: Workplace) -> VectorStore:
    """The store that searches are asked of; `VectorsDown` where it can't be reached."""
    mirror = open_mirror(workplace)
    return mirror if mirror is not None else PgvectorStore(workplace.db)


def store_to_rebuild(workplace: Workplace) -> VectorStore:
    """The same for whoever owns the tables, past any pooler."""
    mirror = open_mirror(workplace)
    return mirror if mirror is not None else PgvectorStore(workplace.db, workplace.backup_url())
