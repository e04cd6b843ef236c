"""The same photo on several products: a placeholder of the brand, or one product listed twice.

Search cannot tell such products apart, and virtual try-on shows the wrong garment.
"""

from unde_catalog.operations.quality.result import CheckResult
from unde_catalog.settings.checks import CheckFields
from unde_catalog.stores.staging.photos.duplicates import SamePhotos

_PLACEHOLDER = 10  # products with one photo; no garment is listed this often
_TOLERATED = 10


def same_photo(brand: str, now: SamePhotos, limits: CheckFields) -> CheckResult:
    """No photo is on many products, and at most `CHECK_MAX_SAME_PHOTO_SHARE` of the products share a photo."""
    message = f"{now.sharing} of the {now.products} newest products share a photo with another product."
    figures = {"products": now.products, "sharing": now.sharing, "photos": now.photos}
    table = [
        {"photo": one.key, "products": one.products, "examples": ", ".join(one.examples)} for one in now.most_shared
    ]
    most = now.most_shared[0] if now.most_shared else None
    if most is not None and most.products >= _PLACEHOLDER:
        message += (
            f" {most.key} is on {most.products} of them ({', '.join(most.examples)}). If it is a placeholder, download "
            "the photos of these products again when the brand has them: run originals with force and product_ids."
        )
        return CheckResult(False, message, figures=figures, table=table)
    if most is not None and now.sharing > max(_TOLERATED, limits.check_max_same_photo_share * now.products):
        message += (
            f" CHECK_MAX_SAME_PHOTO_SHARE is {limits.check_max_same_photo_share:.0%}. Compare "
            f"{' and '.join(most.examples[:2])} on the brand's site. If both are the same garment, raise the limit; "
            "otherwise the source mixes up photos, which raw_data shows."
        )
        return CheckResult(False, message, figures=figures, table=table)
    return CheckResult(True, message, figures=figures, table=table)
