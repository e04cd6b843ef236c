"""The same photo on different products: a placeholder of the shop's, or one product listed twice.

Search can't tell such products apart, and try-on shows another garment than was asked for.
"""

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.photos.duplicates import SamePhotos

_PLACEHOLDER = 10  # products with one photo: no garment is listed so often
_FEW = 10


def same_photo(brand: str, now: SamePhotos, limits: CheckFields) -> CheckResult:
    """No photo is on many products, and few products share one with another."""
    told = f"{now.sharing} of the {now.products} newest products share a photo with another"
    figures = {"products": now.products, "sharing": now.sharing, "photos": now.photos}
    table = [
        {"photo": one.key, "products": one.products, "for example": ", ".join(one.examples)} for one in now.most_shared
    ]
    most = now.most_shared[0] if now.most_shared else None
    if most is not None and most.products >= _PLACEHOLDER:
        todo = (
            f"{most.key} is on {most.products} of them ({', '.join(most.examples)}): look at it; if it is a "
            "placeholder, ask for these products' photos again when the shop has them (run originals with force and "
            "product_ids)"
        )
        return CheckResult(False, f"{told}; {todo}", figures=figures, table=table)
    if most is not None and now.sharing > max(_FEW, limits.check_max_same_photo_share * now.products):
        todo = (
            f"the limit CHECK_MAX_SAME_PHOTO_SHARE is {limits.check_max_same_photo_share:.0%}: compare "
            f"{' and '.join(most.examples[:2])} in the shop; if both are one garment, raise the limit, else the source "
            "mixes up photos and its raw_data shows how"
        )
        return CheckResult(False, f"{told}; {todo}", figures=figures, table=table)
    return CheckResult(True, told, figures=figures, table=table)
