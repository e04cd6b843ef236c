"""Opens the image list of an export and its fetcher, with only the backends that they need."""

from contextlib import AsyncExitStack

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.services.export.copier import Fetch
from unde_catalog.services.export.fetchers import brand_downloader, bucket_downloader, object_fetcher
from unde_catalog.services.export.image_list import ImageList
from unde_catalog.services.export.run import ExportConfig
from unde_catalog.services.export.sources import BakaiImages, Categories, StagedImages, StoredImages
from unde_catalog.stages.raw_products.factory import open_bakai
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import is_store, not_mounted
from unde_catalog.stores.objects.open import configured_store

BAKAI = "bakai"


async def open_image_list(
    backends: Backends, config: ExportConfig, connections: AsyncExitStack
) -> tuple[ImageList, Fetch]:
    """The list and its fetcher, which `connections` closes. Raises ValueError for missing or invalid settings."""
    settings, selection = backends.settings, config.selection
    brand, parallel = brand_for(selection.brand), config.options.parallel
    brand_settings = settings.brands[selection.brand]
    if config.source in ("api", "bucket") and brand.key != BAKAI:
        raise ValueError(f"--from {config.source} has only {BAKAI}: use database or storage for {brand.key}")
    match config.source:
        case "database":
            images = StagedImages(backends.db, brand.key, selection.category, selection.all_photos)
            downloader = brand_downloader(settings, brand_settings, parallel)
        case "storage":
            if settings.s3 is None and not is_store(settings.objects_folder):
                raise not_mounted(settings.objects_folder)
            store = configured_store(settings)
            categories = Categories(_existing_database(backends), brand.key)
            return StoredImages(store, brand, categories), object_fetcher(store, parallel)
        case "api":
            images = BakaiImages(open_bakai(settings, "api"), Categories(None, brand.key))
            downloader = brand_downloader(settings, brand_settings, parallel)
        case "bucket":
            s3 = settings.bakai_bucket()
            categories = Categories(_existing_database(backends), brand.key)
            images = BakaiImages(open_bakai(settings, "bucket"), categories, s3)
            downloader = bucket_downloader(settings, brand_settings, parallel, s3)
    return images, (await connections.enter_async_context(downloader)).download


def _existing_database(backends: Backends) -> Database | None:
    """The staging database if it exists. It is not created just to look up categories."""
    settings = backends.settings
    exists = settings.staging_db_url is not None or (settings.home / "postgres").is_dir()
    return backends.db if exists else None
