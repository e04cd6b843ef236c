"""The quantity of a size in a store at a time: a pure function, so any hour of any day is reproducible.

Products, sizes, stores and responses do not belong here.
"""

from unde_catalog.sandbox.identity import stable_int

DAY = 86_400  # seconds
_MORNING = 10 * 3600  # seconds after midnight UTC: 14:00 in Dubai
_NEVER, _ALWAYS = 0.25, 0.55  # a size with a share below the first is never in stock, below the second always
_MAX_QUANTITY = 8


def quantity(brand: str, store_id: int, sku: str, time: int) -> int:
    """Returns the quantity (0 to 8) at a time in seconds since the epoch.

    A store never has a quarter of the sizes and always has under a third. The others are delivered between 00:00 and
    10:00 UTC and sold out between 10:00 and 24:00. So 3 to 5 % of all sizes change in an hour, and of a product with
    three to five sizes, the response changes for every tenth to fifth store.
    """
    permanent = stable_int("size", brand, store_id, sku)
    share = permanent / 2**64
    if share < _NEVER:
        return 0
    day, second = divmod(time, DAY)
    if share < _ALWAYS:
        return max((1 + permanent % _MAX_QUANTITY) * (DAY - second) // DAY, 1)
    daily = stable_int("day", brand, store_id, sku, day)
    delivered = (daily & 0xFFFFFF) % _MORNING
    sold_out = _MORNING + (daily >> 24 & 0xFFFFFF) % (DAY - _MORNING)
    if not delivered <= second < sold_out:
        return 0
    return max((1 + (daily >> 48) % _MAX_QUANTITY) * (sold_out - second) // (sold_out - delivered), 1)
