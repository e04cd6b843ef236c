"""A photo that somebody searches by: from bytes of unknown origin to a picture, within limits of memory and time."""

from typing import BinaryIO

from PIL import Image
from starlette.concurrency import run_in_threadpool

from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.settings.search import SearchFields
from unde_catalog.stages.photos.decode import RefusalReason, Refused
from unde_catalog.stages.photos.image import ImageLimits, working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.visual_index.model import picture

_LEAST_SIDE = 16  # pixels a side: less shows no garment
_MOST_RATIO = 20  # of the two sides: CLIP enlarges the shorter one to 224 pixels, and the other one with it
_STATUS: dict[RefusalReason, int] = {
    "empty": 422,
    "not_an_image": 415,
    "unsupported_format": 415,
    "too_large": 413,
    "too_many_pixels": 413,
    "too_small": 422,
    "too_long": 422,
    "truncated": 422,
    "corrupt": 422,
}
_SAID: dict[RefusalReason, str] = {
    "empty": "the file is empty: choose a photo",
    "not_an_image": "this is no picture: send a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF",
    "unsupported_format": "pictures of this format are not read: send a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF",
    "too_large": "the file has more than {max_bytes} bytes: send a smaller one",
    "too_many_pixels": "the picture has more than {megapixels:g} megapixels: send a smaller one",
    "too_small": "the picture is smaller than {min_side} x {min_side} pixels: send a larger one",
    "too_long": "the picture is far longer than it is wide, or the other way round: cut it",
    "truncated": "the end of the picture is missing: send it again",
    "corrupt": "the picture is damaged: send it again, or another one",
}


class Uploads:
    """Reads photos, as many at once as fit into a budget of memory."""

    def __init__(self, settings: SearchFields, metrics: SearchMetrics) -> None:
        self._limits = ImageLimits(settings.search_photo_max_bytes, settings.search_photo_max_pixels, _LEAST_SIDE)
        self._budget = MemoryBudget(settings.search_memory_mb * 1_000_000)
        self._metrics = metrics

    async def read(self, file: BinaryIO, size: int | None) -> Image.Image:
        """The picture in an open file, upright, sRGB; a `Problem` with the reason's code for what can't be used."""
        if size is not None and size > self._limits.max_bytes:
            raise self._problem("too_large")
        data = await run_in_threadpool(file.read, self._limits.max_bytes + 1)
        if len(data) > self._limits.max_bytes:
            raise self._problem("too_large")
        needed = await run_in_threadpool(working_bytes, data, self._limits)
        async with self._budget.reserve(needed):
            found = await run_in_threadpool(picture, data, self._limits.max_pixels)
        if isinstance(found, Refused):
            raise self._problem(found.reason)
        if min(found.size) < _LEAST_SIDE:
            raise self._problem("too_small")
        if max(found.size) > _MOST_RATIO * min(found.size):
            raise self._problem("too_long")
        return found

    def _problem(self, reason: RefusalReason) -> Problem:
        self._metrics.refused.labels(reason).inc()
        limits = self._limits
        said = _SAID[reason].format(
            max_bytes=limits.max_bytes, megapixels=limits.max_pixels / 1e6, min_side=limits.min_side
        )
        return Problem(_STATUS[reason], reason, said)
