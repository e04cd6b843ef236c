"""Opens the list of an export, and what fetches its images, with the stores that they need and no others."""

from contextlib import AsyncExitStack

from unde_catalog.backends import Backends
from unde_catalog.brands import brand_for
from unde_catalog.services.export.copying import Fetch
from unde_catalog.services.export.fetching import bucket_downloader, downloader, stored
from unde_catalog.services.export.image_list import ImageList
from unde_catalog.services.export.lists import BakaiImages, Categories, StagedImages, StoredImages
from unde_catalog.services.export.run import Export
from unde_catalog.stages.raw_products.factory import open_bakai
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import is_store, not_mounted
from unde_catalog.stores.objects.open import configured_store

BAKAI = "bakai"


async def open_list(backends: Backends, wanted: Export, connections: AsyncExitStack) -> tuple[ImageList, Fetch]:
    """The list, and what fetches from it, closed with `connections`; ValueError says what is wrong or missing."""
    settings, choice = backends.settings, wanted.choice
    brand, manners, parallel = brand_for(choice.brand), settings.brands[choice.brand], wanted.options.parallel
    if wanted.source in ("api", "bucket") and brand.key != BAKAI:
        raise ValueError(f"--from {wanted.source} lists {BAKAI} alone: take database or storage for {brand.key}")
    match wanted.source:
        case "database":
            images = StagedImages(backends.db, brand.key, choice.category, choice.all_photos)
            return images, (await connections.enter_async_context(downloader(settings, manners, parallel))).download
        case "storage":
            if settings.s3 is None and not is_store(settings.objects_folder):
                raise not_mounted(settings.objects_folder)
            store = configured_store(settings)
            return StoredImages(store, brand, Categories(_known_database(backends), brand.key)), stored(store, parallel)
        case "api":
            images = BakaiImages(open_bakai(settings, "api"), Categories(None, brand.key))
            return images, (await connections.enter_async_context(downloader(settings, manners, parallel))).download
        case "bucket":
            s3 = settings.bakai_bucket()
            categories = Categories(_known_database(backends), brand.key)
            images = BakaiImages(open_bakai(settings, "bucket"), categories, s3)
            bucket = bucket_downloader(settings, manners, parallel, s3)
            return images, (await connections.enter_async_context(bucket)).download


def _known_database(backends: Backends) -> Database | None:
    """The staging database if there is one; none is made for the sake of categories."""
    settings = backends.settings
    known = settings.staging_db_url is not None or (settings.home / "postgres").is_dir()
    return backends.db if known else None
