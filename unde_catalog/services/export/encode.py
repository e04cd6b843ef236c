"""Converts a downloaded image to JPEG and writes it into the folder. Blocking and thread-safe.

`stages/photos/` defines valid images. `folder.py` writes the file.
"""

from dataclasses import dataclass

from unde_catalog.services.export.folder import CopyFolder, PathConflict
from unde_catalog.services.export.totals import FailureKind
from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import ImageLimits, decode_upright, encode_jpeg, normalise, working_bytes

_REENCODE_MEMORY = 11  # times the memory of a plain JPEG that is kept, to decode and encode it


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """Why an image was not copied: a reason code, a message, and whether a retry may help."""

    kind: FailureKind
    reason: str
    detail: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class NeedsMemory:
    """The image needs more memory than it was given. Nothing was done."""

    bytes: int


class Encoder:
    """Writes images as JPEG. `reencode`: also encode plain JPEGs, which are otherwise kept byte for byte."""

    def __init__(self, folder: CopyFolder, limits: ImageLimits, *, reencode: bool = False) -> None:
        self._folder, self._limits, self._reencode = folder, limits, reencode

    def store(self, category: str, file: str, body: bytes, memory: int) -> int | ImageFailure | NeedsMemory:
        """Write an image into the folder, with at most `memory` bytes: the size of the file. Raises `CopyStopped`."""
        needed = working_bytes(body, self._limits) * (_REENCODE_MEMORY if self._reencode else 1)
        if needed > memory:
            return NeedsMemory(needed)
        image = normalise(body, self._limits)
        if isinstance(image, Refused):
            return ImageFailure("invalid", image.reason, image.detail, image.retryable)
        data = image.data
        if self._reencode and not image.converted:
            try:
                with open_photo(body, self._limits.max_pixels) as photo:
                    data = encode_jpeg(decode_upright(photo, body))
            except Unusable as unusable:  # damage that only a full decode detects
                return ImageFailure("invalid", unusable.refused.reason, unusable.refused.detail, False)
        try:
            self._folder.write(category, file, data)
        except PathConflict as error:
            return ImageFailure("download", "in_the_way", str(error), False)
        return len(data)
