"""Finds the word of the catalogue that somebody probably meant."""

from collections.abc import Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

_MIN_LETTERS = 4
_LONG = 6  # letters, from which two mistakes are allowed
# The same keys on a Russian and an English keyboard: `gkfnmt` is `платье`.
_KEYS = ("qwertyuiop[]asdfghjkl;'zxcvbnm,.`", "йцукенгшщзхъфывапролджэячсмитьбюе")
_RUSSIAN_KEYS = str.maketrans(*_KEYS)
_ENGLISH_KEYS = str.maketrans(*reversed(_KEYS))


def correct(word: str, vocabulary: Mapping[str, int]) -> str | None:
    """The most probable word of the vocabulary (word -> number of products); None if none is near.

    The first letter is taken as right: `evening` is no `seven`. One letter may be wrong, missing, added or swapped with
    its neighbour; two in words of six letters or more.
    """
    if len(word) < _MIN_LETTERS or any(letter.isdigit() for letter in word):
        return None
    other_layout = word.translate(_RUSSIAN_KEYS if word.isascii() else _ENGLISH_KEYS)
    if other_layout in vocabulary:
        return other_layout
    mistakes = 2 if len(word) >= _LONG else 1
    candidates = [known for known in vocabulary if known[0] == word[0] and abs(len(known) - len(word)) <= mistakes]
    near = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=mistakes, limit=None)
    return min(near, key=lambda found: (found[1], -vocabulary[found[0]], found[0]))[0] if near else None
