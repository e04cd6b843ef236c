"""Decodes an uploaded photo within limits of size, memory and time.

Embedding and searching are in `search_service.py`.
"""

from typing import BinaryIO

from PIL import Image
from starlette.concurrency import run_in_threadpool

from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.settings.search import SearchFields
from unde_catalog.stages.photos.decode import RefusalReason, Refused
from unde_catalog.stages.photos.image import ImageLimits, header_size, working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.visual_index.model_image import MAX_ASPECT_RATIO, model_image

_MIN_SIDE = 16  # pixels: smaller images show no garment
_STATUS: dict[RefusalReason, int] = {
    "empty": 422,
    "not_an_image": 415,
    "unsupported_format": 415,
    "too_large": 413,
    "too_many_pixels": 413,
    "too_small": 422,
    "ambiguous_inks": 422,
    "too_long": 422,
    "truncated": 422,
    "corrupt": 422,
}
_DETAIL: dict[RefusalReason, str] = {
    "empty": "The file is empty. Choose another photo.",
    "not_an_image": "The file is not an image. Send a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF.",
    "unsupported_format": "This image is not supported: {detail}. Send a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF.",
    "too_large": "The file is larger than {max_bytes} bytes. Send a smaller one.",
    "too_many_pixels": "The image has more than {megapixels:g} megapixels. Send a smaller one.",
    "too_small": "The image is smaller than {min_side} x {min_side} pixels. Send a larger one.",
    "ambiguous_inks": "The file does not say how its CMYK colours are stored. Save the photo in RGB.",
    "too_long": "One side of the image is much longer than the other. Crop it.",
    "truncated": "The image file is incomplete. Send it again.",
    "corrupt": "The image file is damaged. Send it again, or send another one.",
}


class Uploads:
    """Reads photos concurrently, as far as the memory budget allows."""

    def __init__(self, settings: SearchFields, metrics: SearchMetrics) -> None:
        self._limits = ImageLimits(settings.search_photo_max_bytes, settings.search_photo_max_pixels, _MIN_SIDE)
        self._budget = MemoryBudget(settings.search_memory_mb * 1_000_000)
        self._metrics = metrics

    async def read(self, file: BinaryIO, size: int | None) -> Image.Image:
        """The image, upright and in sRGB. Raises a `Problem` with the reason as its code."""
        if size is not None and size > self._limits.max_bytes:
            raise self._problem("too_large")
        data = await run_in_threadpool(file.read, self._limits.max_bytes + 1)
        if len(data) > self._limits.max_bytes:
            raise self._problem("too_large")
        await run_in_threadpool(self._check_header, data)
        memory = await run_in_threadpool(working_bytes, data, self._limits)
        async with self._budget.reserve(memory):
            image = await run_in_threadpool(model_image, data, self._limits.max_pixels)
        if isinstance(image, Refused):
            raise self._problem(image.reason, image.detail)
        return image

    def _check_header(self, data: bytes) -> None:
        size = header_size(data, self._limits)
        if isinstance(size, Refused):
            raise self._problem(size.reason, size.detail)
        if min(size) < _MIN_SIDE:
            raise self._problem("too_small")
        if max(size) > MAX_ASPECT_RATIO * min(size):
            raise self._problem("too_long")

    def _problem(self, reason: RefusalReason, detail: str = "") -> Problem:
        self._metrics.refused.labels(reason).inc()
        limits = self._limits
        message = _DETAIL[reason].format(
            max_bytes=limits.max_bytes,
            megapixels=limits.max_pixels / 1e6,
            min_side=limits.min_side,
            detail=detail,
        )
        return Problem(_STATUS[reason], reason, message)
