"""Names of files and folders made from categories and external ids, whatever these contain.

An ordinary name stands as it is. Any other becomes a readable rest of itself and a hash, joined by a tilde: it can't
leave its folder, and no two become the same. What lies in the folder is `folder.py`'s.
"""

import hashlib
import re
import unicodedata

UNCATEGORIZED = "uncategorized"  # spec 2
_LONGEST = 180  # bytes in UTF-8: with `_99.jpg` still under 200, and file systems end at 255
_HASHED = re.compile(r"~[0-9a-f]{16}")
_PLAIN = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,99}", re.ASCII)
_NUMBERED = re.compile(r".+_([2-9]|[1-9][0-9]+)", re.DOTALL)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE)
_DOTS = re.compile(r"\.{2,}")
_FORBIDDEN = frozenset('/\\:*?"<>|')


def category_folder(category: str | None) -> str:
    """The folder of a category; `uncategorized` for one that says nothing."""
    text = (category or "").strip()
    return _name(text) if text else UNCATEGORIZED


def image_file(external_id: str, n: int, brand: str, *, case_matters: bool = True) -> str:
    """The file of a product's photo `n`, from 1: `<external_id>.jpg`, `<external_id>_2.jpg` and so on.

    `case_matters`: the file system tells `A` from `a`; where it does not, names with capitals get a hash.
    """
    # Behind the brand's own prefix an id like `12_2` would be called as photo 2 of `12` is.
    own = external_id.removeprefix(f"{brand}_")
    ambiguous = external_id == brand or _NUMBERED.fullmatch(own) is not None
    folded = not case_matters and external_id != external_id.casefold()
    name = _name(external_id, hashed=ambiguous or folded)
    return f"{name}.jpg" if n == 1 else f"{name}_{n}.jpg"


def _name(text: str, *, hashed: bool = False) -> str:
    if not hashed and _PLAIN.fullmatch(text) and not _RESERVED.match(text):
        return text
    cleaned = _cleaned(text)
    if cleaned == text and not hashed and not _HASHED.fullmatch(text[-17:]):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_cut(cleaned, _LONGEST - 17)}~{digest}"


def _cleaned(text: str) -> str:
    """The text with nothing in it that a file system, a shell or a reader would stumble over; never empty."""
    text = "".join(char if _is_fine(char) else "_" for char in unicodedata.normalize("NFC", text[:1_000]))
    text = _DOTS.sub("_", text).rstrip(". ")  # Windows drops what ends a name
    if not text or text[0] in ".-~ " or _RESERVED.match(text):
        text = f"_{text.lstrip('.-~ ')}"
    return _cut(text, _LONGEST)


def _is_fine(char: str) -> bool:
    # Letters, marks, numbers, punctuation, symbols and the plain space: no controls, no text direction, no surrogates.
    return char == " " or (char not in _FORBIDDEN and unicodedata.category(char)[0] in "LMNPS")


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore").rstrip(". ")
