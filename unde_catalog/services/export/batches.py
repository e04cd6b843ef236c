"""Turns an image list into download jobs: selects and names the images, and leaves out existing files.

Blocking (it reads the list and checks every file), so a separate thread runs it. `copier.py` does the jobs.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from unde_catalog.services.export.folder import CopyFolder
from unde_catalog.services.export.image_list import ImageItem, ImageList, UnreadableItem
from unde_catalog.services.export.journal import journal_line
from unde_catalog.services.export.names import UNCATEGORIZED, category_folder, image_file
from unde_catalog.services.export.sources import NothingSelected

_DUPLICATE_PAGES = 8  # how many pages back a duplicate is detected before its file exists
_MAX_NAMED_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Which images: of a brand, of a category (None: all), at most `limit`, the first photo of a product or all."""

    brand: str
    category: str | None = None
    limit: int | None = None
    all_photos: bool = False


@dataclass(slots=True)
class ActiveProduct:
    """A product with `remaining` images to download. `failed`: one of its images failed."""

    external_id: str
    remaining: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class CopyJob:
    """An image to download, and its file in a category's folder."""

    product: ActiveProduct
    location: str
    category: str
    file: str


@dataclass(slots=True)
class CopyBatch:
    """The jobs of one page of the list, and what is complete already.

    `already_there`: images by category. `lines`: journal lines of complete products. `total`: images of the list, None
    if unknown. `missed`: unreadable items that may have an image.
    """

    total: int | None
    jobs: list[CopyJob] = field(default_factory=list)
    already_there: Counter[str] = field(default_factory=Counter)
    lines: bytes = b""
    products: int = 0
    without_photo: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    missed: int = 0


class BatchReader:
    """The jobs of a list. `since`: files that were last changed before (nanoseconds) are downloaded again."""

    def __init__(self, images: ImageList, folder: CopyFolder, selection: ExportFilter, since: int = 0) -> None:
        self._images, self._folder, self._selection, self._since = images, folder, selection, since
        self._remaining = selection.limit
        self._case_sensitive = folder.is_case_sensitive()
        self._recent_pages: deque[list[str]] = deque()  # files to download, by page
        self._recent_files: set[str] = set()  # the same files
        self._categories: set[str] = set()
        self._ids: dict[int, int] = {}  # hashes of ids without case -> of the first such id; 20 MB for 200,000 products

    def read(self) -> Iterator[CopyBatch]:
        """One batch per page. Raises `NothingSelected` if no product has the category."""
        found = False
        self._images.total()  # raises early if the list is known to be empty
        for page in self._images.pages():
            batch = CopyBatch(self._total())
            self._start_page()
            lines: list[bytes] = []
            for item in page:
                if self._remaining == 0:
                    break
                if isinstance(item, UnreadableItem):
                    batch.unreadable[item.reason] += 1
                    batch.missed += item.missed
                elif self._matches(item):
                    found = True
                    self._add(batch, item, lines)
            batch.lines = b"".join(lines)
            yield batch
            if self._remaining == 0:
                return
        if not found and self._selection.category is not None:
            existing = ", ".join(sorted(self._categories)) or "none"
            raise NothingSelected(
                f"the list has no product of category {self._selection.category!r}; it has: {existing}"
            )

    def _total(self) -> int | None:
        total, selection = self._images.total(), self._selection
        if self._images.limit_counts == "products" and (selection.all_photos or selection.category is not None):
            return None
        return total if total is None or selection.limit is None else min(total, selection.limit)

    def _matches(self, item: ImageItem) -> bool:
        if self._selection.category is None:
            return True
        category = (item.category or "").strip() or UNCATEGORIZED
        if len(self._categories) < _MAX_NAMED_CATEGORIES:
            self._categories.add(category)
        return category == self._selection.category

    def _add(self, batch: CopyBatch, item: ImageItem, lines: list[bytes]) -> None:
        batch.products += 1
        locations = item.locations if self._selection.all_photos else item.locations[:1]
        if self._remaining is not None:
            if self._images.limit_counts == "products":
                self._remaining -= 1
            else:
                locations = locations[: self._remaining]
                self._remaining -= len(locations)
        if not locations:
            batch.without_photo += 1
            return
        category = category_folder(item.category)
        product = ActiveProduct(item.external_id, 0)
        has_twin = self._has_twin(item.external_id)
        for n, location in enumerate(locations, start=1):
            file = image_file(
                item.external_id, n, self._selection.brand, case_sensitive=self._case_sensitive, has_twin=has_twin
            )
            path = f"{category}/{file}"
            if path in self._recent_files or self._folder.has(category, file, self._since):
                batch.already_there[category] += 1
                continue
            self._recent_pages[-1].append(path)
            self._recent_files.add(path)
            product.remaining += 1
            batch.jobs.append(CopyJob(product, location, category, file))
        if not product.remaining:
            lines.append(journal_line(True, item.external_id))

    def _has_twin(self, external_id: str) -> bool:
        """Whether an earlier product's id differs from this one only in case."""
        exact = hash(external_id)
        return self._ids.setdefault(hash(external_id.casefold()), exact) != exact

    def _start_page(self) -> None:
        if len(self._recent_pages) == _DUPLICATE_PAGES:
            self._recent_files.difference_update(self._recent_pages.popleft())
        self._recent_pages.append([])
