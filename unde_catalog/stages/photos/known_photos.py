"""Which stored photos of a product still count, where they belong now, and which outlive a failed download."""

from collections.abc import Sequence
from dataclasses import replace

from unde_catalog.stages.photos.photo_store import PhotoWork
from unde_catalog.stores.staging.photos.originals import Photo


def _stored_since_forced(photo: Photo, work: PhotoWork) -> bool:
    """Whether a photo is stored, and was downloaded after the product was last forced."""
    forced_at = work.lease.forced_at
    downloaded_since = forced_at is None or (photo.fetched_at is not None and photo.fetched_at >= forced_at)
    return photo.state == "stored" and downloaded_since


def is_current(photo: Photo, work: PhotoWork) -> bool:
    """Whether a photo is stored and still listed at its position."""
    urls = work.product.urls
    listed = photo.n <= len(urls) and urls[photo.n - 1] == photo.source_url
    return listed and photo.key == work.key(photo.n) and _stored_since_forced(photo, work)


def moved(work: PhotoWork, known: Sequence[Photo], current: set[int]) -> list[tuple[int, Photo]]:
    """Photos that only changed their position in the list, with the new one: they need no download."""
    stored = {photo.source_url: photo for photo in known if _stored_since_forced(photo, work)}
    return [(n, stored[url]) for n, url in enumerate(work.product.urls, 1) if n not in current and url in stored]


def or_stored(photo: Photo, work: PhotoWork, rows: Sequence[Photo]) -> Photo:
    """The photo, or if its download failed, the stored photo at its position with the reason of the failure.

    A stored photo of the same URL is kept. A photo of another URL is kept only after a fault of the remote host, and
    if it is not listed at another position.
    """
    for known in rows:
        if known.n == photo.n and known.key == work.key(photo.n) and photo.state != "stored":
            same = known.source_url == photo.source_url
            if same or (photo.state == "failed" and known.source_url not in work.product.urls):
                return replace(known, reason=photo.reason)
    return photo
