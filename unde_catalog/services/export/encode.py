"""What becomes of a downloaded body: a JPEG in the folder, or a problem with a reason. It blocks, safe in threads.

What an image must be is `photos/`'s, how a file is written `folder.py`'s.
"""

from dataclasses import dataclass

from unde_catalog.services.export.figures import Kind
from unde_catalog.services.export.folder import CopyFolder, PathConflict
from unde_catalog.stages.photos.decode import Refused, Unusable, open_photo
from unde_catalog.stages.photos.image import ImageLimits, decode_upright, encode_jpeg, normalise, working_bytes

_ENCODED_ANEW = 11  # times the memory, for a plain JPEG that is decoded in full and encoded again


@dataclass(frozen=True, slots=True)
class EncodeProblem:
    """Why an image is not there: a code to count by, words for people, and whether another try may help."""

    kind: Kind
    reason: str
    detail: str
    may_heal: bool


@dataclass(frozen=True, slots=True)
class NeedsMemory:
    """An image that takes more memory than it may; nothing was done."""

    bytes: int


class Encoder:
    """Makes files of bodies. `reencode`: also a JPEG that could stay as it is."""

    def __init__(self, folder: CopyFolder, limits: ImageLimits, *, reencode: bool = False) -> None:
        self._folder, self._limits, self._reencode = folder, limits, reencode

    def make(self, category: str, file: str, body: bytes, memory: int) -> int | EncodeProblem | NeedsMemory:
        """Put an image into the folder; its bytes there. Raises `CopyStopped`."""
        wanted = working_bytes(body, self._limits) * (_ENCODED_ANEW if self._reencode else 1)
        if wanted > memory:
            return NeedsMemory(wanted)
        image = normalise(body, self._limits)
        if isinstance(image, Refused):
            return EncodeProblem("invalid", image.reason, image.detail, image.worth_another_try)
        data = image.data
        if self._reencode and not image.converted:
            try:
                with open_photo(body, self._limits.max_pixels) as photo:
                    data = encode_jpeg(decode_upright(photo, body))
            except Unusable as unusable:  # what only shows when all of it is decoded
                return EncodeProblem("invalid", unusable.refused.reason, unusable.refused.detail, False)
        try:
            self._folder.put(category, file, data)
        except PathConflict as error:
            return EncodeProblem("download", "in_the_way", str(error), False)
        return len(data)
