"""Reads HEIC and HEIF, the format of iPhones, where the extra `heif` is installed."""

from functools import cache

MISSING = "HEIC and HEIF need the extra heif: pip install 'unde-catalog[heif]'"
_THREADS = 2  # of libheif, for one photo; several photos are decoded at once


@cache
def has_heif() -> bool:
    """Whether the extra is installed; the first call registers its decoder with Pillow."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    # Without thumbnails: Pillow's draft mode would decode one instead of the photo, and miss damage.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=_THREADS)
    return True
