"""A contact sheet: thumbnails of some stored objects, as Markdown with an embedded image.

An object that is missing or unreadable leaves a blank, and no error here fails a run.
"""

import base64
import io
import re
import statistics
from collections.abc import Sequence

from PIL import Image

from unde_catalog.stages.photos.decode import PILLOW_ERRORS, Unusable, open_photo
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable
from unde_catalog.worker.handler import StoredObject

THUMBNAILS = 24
MAX_MARKDOWN = 50_000  # characters, because Dagster's event log stores them
_WIDTH = 720  # pixels; the height of a full sheet is about the same
_GAP = 4
_MAX_PIXELS = 178_000_000  # Pillow's limit; a collage of five large photos has 120 million
_MIN_ASPECT, _MAX_ASPECT = 0.4, 8.0
_PAPER, _BLANK = (255, 255, 255), (228, 228, 228)
_SCALES, _QUALITIES = (1.0, 0.7, 0.5, 0.25), (75, 60, 45, 30)  # the smallest fits even if the images are noise


class Sample:
    """A sample of a run's objects, spread over the whole run; at most `2 * size` objects are in memory."""

    def __init__(self, size: int = THUMBNAILS) -> None:
        self._size = size
        self._kept: list[StoredObject] = []
        self._every = 1
        self.seen = 0

    def add(self, stored: Sequence[StoredObject]) -> None:
        """Consider more objects for the sample."""
        for one in stored:
            if self.seen % self._every == 0:
                self._kept.append(one)
                if len(self._kept) == 2 * self._size:
                    del self._kept[1::2]
                    self._every *= 2
            self.seen += 1

    def objects(self) -> list[StoredObject]:
        """The sample: at most `size` objects, in the order in which they were added."""
        count = min(self._size, len(self._kept))
        return [self._kept[n * len(self._kept) // count] for n in range(count)]


def contact_sheet(sample: Sample, store: ObjectStore, kind: str = "new") -> str | None:
    """Markdown of less than 50,000 characters with the sample's thumbnails; None if none could be read.

    Objects are read one at a time and decoded at a reduced scale. `kind`: what they are, for the alternative text.
    """
    objects = sample.objects()
    if not objects:
        return None
    aspect = statistics.median(one.width / max(one.height, 1) for one in objects)
    aspect = min(max(aspect, _MIN_ASPECT), _MAX_ASPECT)
    columns = max(1, round((THUMBNAILS / aspect) ** 0.5))  # a full sheet is about square
    cell = (_WIDTH // columns - _GAP, round((_WIDTH // columns - _GAP) / aspect))
    thumbnails = _thumbnails(objects, store, cell)
    readable = sum(one is not None for one in thumbnails)
    if not readable:
        return None
    alt = _alt_text(objects, sample.seen, len(objects) - readable, kind)
    jpeg = _encode_within(_grid(thumbnails, columns, cell), (MAX_MARKDOWN - len(alt) - 50) * 3 // 4)
    return f"![{alt}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})"


def _thumbnails(objects: Sequence[StoredObject], store: ObjectStore, cell: tuple[int, int]) -> list[Image.Image | None]:
    thumbnails: list[Image.Image | None] = []
    for one in objects:
        try:
            thumbnails.append(_thumbnail(store.get(one.key), cell))
        except (ObjectMissing, Unusable, *PILLOW_ERRORS):
            thumbnails.append(None)
        except StorageUnavailable:  # storing the manifest reports it; reading the other objects would only take time
            break
    return thumbnails + [None] * (len(objects) - len(thumbnails))


def _thumbnail(data: bytes, cell: tuple[int, int]) -> Image.Image:
    with open_photo(data, _MAX_PIXELS) as photo:
        photo.thumbnail(cell, reducing_gap=2.0)  # decodes a JPEG at the smallest scale that suffices
        return photo.convert("RGB")


def _grid(thumbnails: Sequence[Image.Image | None], columns: int, cell: tuple[int, int]) -> Image.Image:
    columns = min(columns, len(thumbnails))
    rows = -(-len(thumbnails) // columns)
    width, height = cell[0] + _GAP, cell[1] + _GAP
    sheet = Image.new("RGB", (columns * width - _GAP, rows * height - _GAP), _PAPER)
    for n, thumbnail in enumerate(thumbnails):
        left, top = n % columns * width, n // columns * height
        if thumbnail is None:
            sheet.paste(_BLANK, (left, top, left + cell[0], top + cell[1]))
        else:
            sheet.paste(thumbnail, (left + (cell[0] - thumbnail.width) // 2, top + (cell[1] - thumbnail.height) // 2))
    return sheet


def _encode_within(sheet: Image.Image, max_bytes: int) -> bytes:
    data = b""
    for scale in _SCALES:
        size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
        resized = sheet if scale == 1 else sheet.resize(size, Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            file = io.BytesIO()
            resized.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
            data = file.getvalue()
            if len(data) <= max_bytes:
                return data
    return data


def _alt_text(objects: Sequence[StoredObject], seen: int, blanks: int, kind: str) -> str:
    # An id may contain any characters, including those that end the alt text.
    ids = [re.sub(r"[^\w .:-]", "_", one.external_id)[:40] for one in objects]
    names = [id if one.n is None else f"{id} photo {one.n}" for id, one in zip(ids, objects, strict=True)]
    shown = f"{len(objects)} of {seen} {kind}" if seen > len(objects) else f"{seen} {kind}"
    unreadable = f", {blanks} unreadable" if blanks else ""
    return f"{shown}{unreadable}: {', '.join(names)}"
