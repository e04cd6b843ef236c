"""Safe and unique names of files and folders for any categories and external ids.

An ordinary name is used as it is. Any other becomes a readable part and a hash, joined by a tilde, so that it can't
leave its folder and no two names collide. `folder.py` writes the files.
"""

import hashlib
import re
import unicodedata

UNCATEGORIZED = "uncategorized"  # the folder of products without a category
_MAX_BYTES = 180  # in UTF-8: with `_99.jpg` less than 200, and file systems allow 255
_HASHED = re.compile(r"~[0-9a-f]{16}")
_PLAIN = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,99}", re.ASCII)
_NUMBERED = re.compile(r".+_([2-9]|[1-9][0-9]+)", re.DOTALL)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE)
_DOTS = re.compile(r"\.{2,}")
_FORBIDDEN = frozenset('/\\:*?"<>|')


def category_folder(category: str | None) -> str:
    """The folder of a category. `uncategorized` if it is None or blank."""
    text = (category or "").strip()
    return _name(text) if text else UNCATEGORIZED


def image_file(external_id: str, n: int, brand: str, *, case_sensitive: bool = True, has_twin: bool = False) -> str:
    """The file of photo `n` (from 1) of a product: `<external_id>.jpg`, `<external_id>_2.jpg` and so on.

    `case_sensitive`: whether the file system distinguishes `A` and `a`. If not, names with capitals get a hash.
    `has_twin`: another product has this name but for its case; this one gets a hash, so that a copy of the folder on
    another file system has both.
    """
    # Without the brand's prefix, an id like `12_2` would have the same name as photo 2 of `12`.
    number = external_id.removeprefix(f"{brand}_")
    ambiguous = external_id == brand or _NUMBERED.fullmatch(number) is not None
    folded = not case_sensitive and external_id != external_id.casefold()
    name = _name(external_id, hashed=ambiguous or folded or has_twin)
    return f"{name}.jpg" if n == 1 else f"{name}_{n}.jpg"


def _name(text: str, *, hashed: bool = False) -> str:
    if not hashed and _PLAIN.fullmatch(text) and not _RESERVED.match(text):
        return text
    cleaned = _clean(text)
    if cleaned == text and not hashed and not _HASHED.fullmatch(text[-17:]):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_truncate(cleaned, _MAX_BYTES - 17)}~{digest}"


def _clean(text: str) -> str:
    """The text without characters that are unsafe in a file system or a shell, or hard to read. Never empty."""
    text = "".join(char if _is_safe(char) else "_" for char in unicodedata.normalize("NFC", text[:1_000]))
    text = _DOTS.sub("_", text).rstrip(". ")  # Windows drops them at the end of a name
    if not text or text[0] in ".-~ " or _RESERVED.match(text):
        text = f"_{text.lstrip('.-~ ')}"
    return _truncate(text, _MAX_BYTES)


def _is_safe(char: str) -> bool:
    # Letters, marks, numbers, punctuation, symbols and the space. No controls, text direction marks or surrogates.
    return char == " " or (char not in _FORBIDDEN and unicodedata.category(char)[0] in "LMNPS")


def _truncate(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode(errors="ignore").rstrip(". ")
