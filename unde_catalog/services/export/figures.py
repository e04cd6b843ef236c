"""What a copy has done so far, in numbers; all of them stay small, however many images there are.

How they are shown is `commands/`'s.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["download", "invalid"]

_EXAMPLES = 5
_MOST_CATEGORIES = 1_000
OTHERS = "(others)"


@dataclass(slots=True)
class CategoryFigures:
    """Images of one category."""

    downloaded: int = 0
    there: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All that is known of by now."""
        return self.downloaded + self.there + self.failed


@dataclass(slots=True)
class ExportTotals:
    """Counts of images, if nothing else is said; `seconds` since the start, `total` as far as it is known."""

    total: int | None = None
    downloaded: int = 0
    there: int = 0
    bytes: int = 0
    seconds: float = 0.0
    products: int = 0
    without_photo: int = 0  # products
    failed: dict[Kind, Counter[str]] = field(default_factory=lambda: {"download": Counter(), "invalid": Counter()})
    unreadable: Counter[str] = field(default_factory=Counter)  # items of the list
    missed: int = 0  # of them, those behind which an image may be
    examples: dict[str, list[str]] = field(default_factory=dict)
    categories: dict[str, CategoryFigures] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Images that are not there."""
        return sum(counts.total() for counts in self.failed.values())

    @property
    def settled(self) -> int:
        """Images that are there or failed."""
        return self.downloaded + self.there + self.failures

    @property
    def per_second(self) -> float:
        """Images downloaded a second."""
        return self.downloaded / self.seconds if self.seconds > 0 else 0.0

    @property
    def whole(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not self.missed

    def of(self, category: str) -> CategoryFigures:
        """The figures of a category's folder; beyond a thousand they share one."""
        if category not in self.categories and len(self.categories) >= _MOST_CATEGORIES:
            category = OTHERS
        return self.categories.setdefault(category, CategoryFigures())

    def fail(self, kind: Kind, reason: str, category: str, file: str) -> None:
        """Count an image that did not get through; the first few of a reason are named."""
        self.failed[kind][reason] += 1
        self.of(category).failed += 1
        named = self.examples.setdefault(reason, [])
        if len(named) < _EXAMPLES:
            named.append(f"{category}/{file}")

    def largest(self, most: int) -> Sequence[tuple[str, CategoryFigures]]:
        """The categories with the most images, those beyond `most` added up."""
        ranked = sorted(self.categories.items(), key=lambda one: (one[0] == OTHERS, -one[1].total, one[0]))
        rest = CategoryFigures()
        for _, one in ranked[most:]:
            rest.downloaded += one.downloaded
            rest.there += one.there
            rest.failed += one.failed
        return [*ranked[:most], *([(OTHERS, rest)] if ranked[most:] else [])]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "total": self.total,
            "downloaded": self.downloaded,
            "already_there": self.there,
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
                name: {"downloaded": one.downloaded, "already_there": one.there, "failed": one.failed}
                for name, one in self.largest(_MOST_CATEGORIES)
            },
        }
