"""Turns a list of images into work: chosen, named, and without what lies in the folder already.

It blocks (the list, a look at every file), so a thread of its own reads it. Fetching is `copying.py`'s.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from unde_catalog.services.export.folder import CopyFolder
from unde_catalog.services.export.image_list import ImageItem, ImageList, UnreadableItem
from unde_catalog.services.export.journal import line
from unde_catalog.services.export.lists import NothingSelected
from unde_catalog.services.export.names import UNCATEGORIZED, category_folder, image_file

_REPEATS = 8  # pages in which the same file is noticed before it lies there
_NAMED_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """What of a list is wanted: a category (None: all), at most `limit`, the first photo of each product or all."""

    brand: str
    category: str | None = None
    limit: int | None = None
    all_photos: bool = False


@dataclass(slots=True)
class ActiveProduct:
    """A product of which `left` images are to be fetched yet, and whether one failed."""

    external_id: str
    left: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class CopyJob:
    """An image to fetch from a place, for a file in a category's folder."""

    product: ActiveProduct
    place: str
    category: str
    file: str


@dataclass(slots=True)
class CopyBatch:
    """A page of the list: what is to be fetched, and what is settled already.

    `there`: images by category; `lines`: of the journal, for products that are there; `total`: of images, None where
    it is not known; `missed`: unreadable items behind which an image may be.
    """

    total: int | None
    jobs: list[CopyJob] = field(default_factory=list)
    there: Counter[str] = field(default_factory=Counter)
    lines: bytes = b""
    products: int = 0
    without_photo: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    missed: int = 0


class ImageListing:
    """The work of a list. `since`: files last changed before (nanoseconds) don't count as there."""

    def __init__(self, images: ImageList, folder: CopyFolder, choice: ExportFilter, since: int = 0) -> None:
        self._images, self._folder, self._choice, self._since = images, folder, choice, since
        self._left = choice.limit
        self._case_matters = folder.case_matters()
        self._recent: deque[list[str]] = deque()  # files to be fetched, by page
        self._asked: set[str] = set()  # the same, as one
        self._seen: set[str] = set()

    def batches(self) -> Iterator[CopyBatch]:
        """Page by page; `NothingSelected` where the list has no product of the category."""
        found = False
        self._images.total()  # a list that knows what it holds says here that there is nothing
        for page in self._images.pages():
            batch = CopyBatch(self._total())
            self._next_page()
            lines: list[bytes] = []
            for item in page:
                if self._left == 0:
                    break
                if isinstance(item, UnreadableItem):
                    batch.unreadable[item.reason] += 1
                    batch.missed += item.missed
                elif self._is_wanted(item):
                    found = True
                    self._add(batch, item, lines)
            batch.lines = b"".join(lines)
            yield batch
            if self._left == 0:
                return
        if not found and self._choice.category is not None:
            there = ", ".join(sorted(self._seen)) or "none"
            raise NothingSelected(
                f"nothing in the list is of the category {self._choice.category!r}; there are: {there}"
            )

    def _total(self) -> int | None:
        total, choice = self._images.total(), self._choice
        if self._images.limit_counts == "products" and (choice.all_photos or choice.category is not None):
            return None
        return total if total is None or choice.limit is None else min(total, choice.limit)

    def _is_wanted(self, item: ImageItem) -> bool:
        if self._choice.category is None:
            return True
        category = (item.category or "").strip() or UNCATEGORIZED
        if len(self._seen) < _NAMED_CATEGORIES:
            self._seen.add(category)
        return category == self._choice.category

    def _add(self, batch: CopyBatch, item: ImageItem, lines: list[bytes]) -> None:
        batch.products += 1
        places = item.places if self._choice.all_photos else item.places[:1]
        if self._left is not None:
            if self._images.limit_counts == "products":
                self._left -= 1
            else:
                places = places[: self._left]
                self._left -= len(places)
        if not places:
            batch.without_photo += 1
            return
        category = category_folder(item.category)
        product = ActiveProduct(item.external_id, 0)
        for n, place in enumerate(places, start=1):
            file = image_file(item.external_id, n, self._choice.brand, case_matters=self._case_matters)
            path = f"{category}/{file}"
            if path in self._asked or self._folder.there(category, file, self._since):
                batch.there[category] += 1
                continue
            self._recent[-1].append(path)
            self._asked.add(path)
            product.left += 1
            batch.jobs.append(CopyJob(product, place, category, file))
        if not product.left:
            lines.append(line(True, item.external_id))

    def _next_page(self) -> None:
        if len(self._recent) == _REPEATS:
            self._asked.difference_update(self._recent.popleft())
        self._recent.append([])
