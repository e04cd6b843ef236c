"""How many of a size lie in a shop at a moment: a pure function, so that any hour of any day can be told again.

Which products, sizes and shops there are, and how stock is answered, does not belong here.
"""

from unde_catalog.sandbox.identity import stable_int

DAY = 86_400  # seconds
_MORNING = 10 * 3600  # seconds after midnight UTC: 14:00 in Dubai
_NEVER, _ALWAYS = 0.25, 0.55  # below the first a shop never has a size, from there to the second it always has
_MOST = 8


def quantity(brand: str, shop: int, sku: str, moment: int) -> int:
    """How many there are (0 to 8) at a moment in seconds since the epoch.

    A quarter of the sizes a shop never has, under a third always; the others come in between 00:00 and 10:00 UTC and
    the last one is sold between 10:00 and 24:00. So in every hour some 3 to 5 % of all sizes come or go, and of a
    product of three to five sizes the answer of every tenth to fifth shop changes.
    """
    lasting = stable_int("size", brand, shop, sku)
    kind = lasting / 2**64
    if kind < _NEVER:
        return 0
    day, second = divmod(moment, DAY)
    if kind < _ALWAYS:
        return max((1 + lasting % _MOST) * (DAY - second) // DAY, 1)
    drawn = stable_int("day", brand, shop, sku, day)
    delivered = (drawn & 0xFFFFFF) % _MORNING
    sold_out = _MORNING + (drawn >> 24 & 0xFFFFFF) % (DAY - _MORNING)
    if not delivered <= second < sold_out:
        return 0
    return max((1 + (drawn >> 48) % _MOST) * (sold_out - second) // (sold_out - delivered), 1)
