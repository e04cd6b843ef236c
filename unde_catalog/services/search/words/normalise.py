"""Splits text into the words that searches compare."""

import re
import unicodedata

import snowballstemmer

_WORD = re.compile(r"\w+")
# A letter and a word are one word, as `search_text()` in the database has it: a T-shirt is no shirt.
_LETTER_AND_WORD = re.compile(r"\b([^\W\d_])-(?=[^\W\d_]{2})|\bt (?=shirt)|\bv (?=neck)", re.IGNORECASE)
_RUSSIAN, _ENGLISH = snowballstemmer.stemmer("russian"), snowballstemmer.stemmer("english")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, in order: `T-shirt, Чёрная` is `tshirt`, `черная`."""
    folded = unicodedata.normalize("NFKC", text).lower().replace("ё", "е")
    joined = _LETTER_AND_WORD.sub(lambda found: found[0][0], folded)
    return [word for match in _WORD.findall(joined) if (word := match.strip("_"))]


def stem(word: str) -> str:
    """What the forms of a word have in common: `dresses` and `dress`, `красное` and `красный`."""
    return (_ENGLISH if word.isascii() else _RUSSIAN).stemWord(word)
