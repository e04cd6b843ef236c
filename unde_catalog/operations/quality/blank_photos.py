"""Stored photos of one colour: a wholly transparent picture becomes white, and some sources send grey placeholders."""

from collections.abc import Callable, Iterator

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore
from unde_catalog.stores.staging.photos.blanks import SmallPhoto, SmallPhotos
from unde_catalog.text import quantity

_SHOWN = 10


def blank_photos(found: SmallPhotos, open_store: Callable[[], ObjectStore]) -> CheckResult:
    """No stored photo has one colour only. Reads the photos that are small enough for that; `StorageUnavailable`."""
    blank = list(_blank(found, open_store())) if found.small else []
    message = f"{len(blank)} of {quantity(found.photos, 'photo')} of the newest products have one colour only."
    figures = {"photos": found.photos, "blank": len(blank)}
    if not blank:
        return CheckResult(True, message, figures=figures)
    examples = list(dict.fromkeys(one.external_id for one in blank))[:_SHOWN]
    message += (
        f" Compare {', '.join(examples[:3])} on the brand's site. The source may send transparent or empty pictures: "
        "download them again when it has photos, with originals, force and product_ids."
    )
    table = [{"photo": one.key, "product": one.external_id} for one in blank[:_SHOWN]]
    return CheckResult(False, message, figures=figures, table=table)


def not_read(cause: str) -> CheckResult:
    """The result while the object store is unavailable."""
    return CheckResult(False, f"The photos can't be read: {cause}")


def _blank(found: SmallPhotos, store: ObjectStore) -> Iterator[SmallPhoto]:
    from unde_catalog.stages.photos.image import is_blank  # every run would load Pillow with the definitions

    for one in found.small:
        try:
            if is_blank(store.get(one.key)):
                yield one
        except ObjectMissing:  # `unde-catalog verify` reports it
            pass
