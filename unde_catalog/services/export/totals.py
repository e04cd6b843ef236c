"""The totals of an export. Their size is bounded, however many images there are.

`cli/export_progress.py` shows them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

FailureKind = Literal["download", "invalid"]

_MAX_EXAMPLES = 5
_MAX_CATEGORIES = 1_000
OTHERS = "(others)"


@dataclass(slots=True)
class CategoryTotals:
    """Numbers of images of one category."""

    downloaded: int = 0
    already_there: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All images counted so far."""
        return self.downloaded + self.already_there + self.failed


@dataclass(slots=True)
class ExportTotals:
    """Numbers of images, unless noted. `seconds`: since the start. `total`: None if unknown."""

    total: int | None = None
    downloaded: int = 0
    already_there: int = 0
    bytes: int = 0
    seconds: float = 0.0
    products: int = 0
    without_photo: int = 0  # products
    failed: dict[FailureKind, Counter[str]] = field(
        default_factory=lambda: {"download": Counter(), "invalid": Counter()}
    )
    unreadable: Counter[str] = field(default_factory=Counter)  # items of the list, by reason
    missed: int = 0  # unreadable items that may have an image
    examples: dict[str, list[str]] = field(default_factory=dict)  # files by reason of failure
    categories: dict[str, CategoryTotals] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Images that were not copied."""
        return sum(counts.total() for counts in self.failed.values())

    @property
    def processed(self) -> int:
        """Images that exist or failed."""
        return self.downloaded + self.already_there + self.failures

    @property
    def per_second(self) -> float:
        """Downloaded images per second."""
        return self.downloaded / self.seconds if self.seconds > 0 else 0.0

    @property
    def complete(self) -> bool:
        """Whether no image is missing."""
        return not self.failures and not self.missed

    def category(self, name: str) -> CategoryTotals:
        """The totals of a category's folder. Beyond a thousand categories, the others share one."""
        if name not in self.categories and len(self.categories) >= _MAX_CATEGORIES:
            name = OTHERS
        return self.categories.setdefault(name, CategoryTotals())

    def add_failure(self, kind: FailureKind, reason: str, category: str, file: str) -> None:
        """Count an image that was not copied. The first files of each reason are kept as examples."""
        self.failed[kind][reason] += 1
        self.category(category).failed += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _MAX_EXAMPLES:
            examples.append(f"{category}/{file}")

    def largest(self, limit: int) -> Sequence[tuple[str, CategoryTotals]]:
        """The `limit` categories with the most images, and the sum of all others."""
        ranked = sorted(self.categories.items(), key=lambda item: (item[0] == OTHERS, -item[1].total, item[0]))
        others = CategoryTotals()
        for _, totals in ranked[limit:]:
            others.downloaded += totals.downloaded
            others.already_there += totals.already_there
            others.failed += totals.failed
        return [*ranked[:limit], *([(OTHERS, others)] if ranked[limit:] else [])]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "total": self.total,
            "downloaded": self.downloaded,
            "already_there": self.already_there,
            "download_errors": dict(self.failed["download"].most_common()),
            "invalid_images": dict(self.failed["invalid"].most_common()),
            "examples": self.examples,
            "products": self.products,
            "products_without_photo": self.without_photo,
            "unreadable_items": dict(self.unreadable.most_common()),
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.per_second, 2),
            "categories": {
                name: {
                    "downloaded": totals.downloaded,
                    "already_there": totals.already_there,
                    "failed": totals.failed,
                }  # fmt: skip
                for name, totals in self.largest(_MAX_CATEGORIES)
            },
        }
