"""Texts of the sample catalogue: invented categories, sizes, compositions and descriptions.

Products belong in `assortment.py`.
"""

from typing import Any

_KINDS: dict[str, tuple[str, ...]] = {
    "woman-tshirts": ("tshirt", "sun tshirt", "bars tshirt", "wave tshirt", "heart tshirt", "polo"),
    "woman-tops": ("crop top", "tank", "cami", "halter", "wrap top"),
    "woman-shirts": ("shirt", "camp shirt", "blouse"),
    "woman-knitwear": ("sweater", "v sweater", "turtleneck", "cardigan"),
    "woman-sweatshirts": ("hoodie", "zip hoodie", "sweatshirt"),
    "woman-blazers": ("blazer", "double blazer", "waistcoat"),
    "woman-outerwear": ("coat", "trench", "biker", "bomber", "overshirt"),
    "woman-outerwear-padded": ("puffer",),
    "woman-dresses": (
        "slip dress",
        "mini dress",
        "shirt dress",
        "wrap dress",
        "tiered dress",
        "knit dress",
        "sun dress",
        "maxi dress",
    ),
    "woman-sleepwear": ("robe", "pyjama shirt"),
    "woman-lingerie": ("bralette",),
    "woman-sport": ("sport top", "leggings", "joggers"),
    "woman-swimwear": ("swimsuit",),
    "woman-trousers": ("trousers", "wide trousers", "slim trousers", "cargo"),
    "woman-jeans": ("jeans", "wide jeans"),
    "woman-shorts": ("shorts", "denim shorts"),
    "woman-skirts": (
        "mini skirt",
        "button skirt",
        "midi skirt",
        "slip skirt",
        "pleated skirt",
        "tiered skirt",
        "pencil skirt",
    ),
    "woman-bags": ("tote", "shoulder bag", "bucket bag", "backpack"),
    "woman-shoes": ("sneakers", "boots", "heels", "sandals", "loafers"),
    "woman-accessories": ("bucket hat", "cap", "beanie", "scarf"),
}
_CATEGORIES = {cut: name for name, cuts in _KINDS.items() for cut in cuts}

_SHELLS: dict[str, str] = {
    "woman-tshirts": "100% cotton",
    "woman-tops": "95% viscose, 5% elastane",
    "woman-shirts": "100% cotton",
    "woman-knitwear": "52% wool, 48% acrylic",
    "woman-sweatshirts": "80% cotton, 20% polyester",
    "woman-blazers": "64% polyester, 32% viscose, 4% elastane",
    "woman-outerwear": "58% wool, 42% polyester",
    "woman-outerwear-padded": "100% polyamide",
    "woman-dresses": "100% viscose",
    "woman-sleepwear": "100% cotton",
    "woman-lingerie": "88% polyamide, 12% elastane",
    "woman-sport": "75% polyamide, 25% elastane",
    "woman-swimwear": "82% polyamide, 18% elastane",
    "woman-trousers": "70% polyester, 27% viscose, 3% elastane",
    "woman-jeans": "99% cotton, 1% elastane",
    "woman-shorts": "55% linen, 45% cotton",
    "woman-skirts": "100% polyester",
    "woman-bags": "100% cow leather",
    "woman-shoes": "100% cow leather",
    "woman-accessories": "100% acrylic",
}
_LINED = ("woman-blazers", "woman-outerwear", "woman-outerwear-padded", "woman-bags")
_FITS = {
    "woman-bags": "Room for the day, with an inside pocket",
    "woman-shoes": "Padded insole and a flexible sole",
    "woman-accessories": "Made to be worn all season",
    "woman-trousers": "Mid-rise, with side pockets and belt loops",
    "woman-jeans": "Five pockets, zip fly and a metal button",
    "woman-skirts": "Sits at the natural waist",
    "woman-dresses": "Lined where it needs to be, easy everywhere else",
}
_PATTERNS = {
    "plain": "in one colour",
    "rib": "in a ribbed knit",
    "knit": "in an open knit",
    "cable": "with cables all over",
    "denim": "in washed denim",
    "sequins": "covered in sequins",
    "tweed": "in a textured weave",
}


def category(cut: str) -> str:
    """Returns a cut's category."""
    return _CATEGORIES[cut]


def sizes(cut: str) -> tuple[str, ...]:
    """Returns the names of a cut's sizes."""
    match category(cut):
        case "woman-shoes":
            return ("36", "37", "38", "39", "40", "41")
        case "woman-trousers" | "woman-jeans":
            return ("34", "36", "38", "40", "42")
        case "woman-bags" | "woman-accessories":
            return ("M",)
        case _:
            return ("XS", "S", "M", "L", "XL")


def composition(cut: str, pattern: str) -> list[dict[str, Any]]:
    """Returns the parts of `detailedComposition`."""
    kind = category(cut)
    shell = "100% cotton" if pattern == "denim" else _SHELLS[kind]
    parts = [_part("OUTER SHELL", shell)]
    if kind in _LINED:
        parts.append(_part("LINING", "100% polyester"))
    return parts


def describe(cut: str, pattern: str) -> str:
    """Returns two sentences about a garment."""
    fabric = _PATTERNS.get(pattern, f"with {pattern}")
    fit = _FITS.get(category(cut), "Regular fit, made for every day")
    return f"{cut.capitalize()} {fabric}. {fit}."


def _part(name: str, text: str) -> dict[str, Any]:
    components = []
    for share in text.split(", "):
        percentage, _, material = share.partition(" ")
        components.append({"material": material, "percentage": percentage})
    return {"description": name, "components": components}
