"""How a text is read: which words of it name what, and what else means the same."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from unde_catalog.services.search.words.dictionary import Dictionary, Meaning, Phrase
from unde_catalog.services.search.words.normalise import stem, words_of
from unde_catalog.services.search.words.spelling import correct

MAX_WORDS = 16
_IGNORED, _GARMENTS, _OTHER = "ignored", "garments", "other"


@dataclass(slots=True)
class Term:
    """A word or phrase of a text. `same` means the same, itself first; what it includes is `narrower`.

    `instead_of` is what was typed, if the spelling was corrected.
    """

    words: Phrase
    kind: str
    same: list[Phrase]
    narrower: list[Phrase] = field(default_factory=list)
    instead_of: str | None = None

    @property
    def text(self) -> str:
        """The words as text."""
        return " ".join(self.words)

    @property
    def is_garment(self) -> bool:
        """Whether the term says what is searched, not how it looks."""
        return self.kind == _GARMENTS


@dataclass(frozen=True, slots=True)
class Reading:
    """The terms of a text in order. `left_out`: words without meaning for a search, and those beyond `MAX_WORDS`."""

    terms: list[Term]
    left_out: list[str]

    @property
    def corrected(self) -> str | None:
        """The text that is searched instead of the typed one; None if the spelling was not corrected."""
        if not any(term.instead_of for term in self.terms):
            return None
        return " ".join(term.text for term in self.terms)


def read(
    text: str,
    dictionary: Dictionary,
    known: Callable[[Sequence[str]], Mapping[str, bool | None]],
    vocabulary: Callable[[], Mapping[str, int]],
) -> Reading:
    """Read a text.

    `known` says of words whether the catalogue has them; None for those that no text search regards, such as `the`.
    `vocabulary`: words that may be meant and how many products have each; it is called only if a word is unknown.
    """
    words = words_of(text)
    left_out = words[MAX_WORDS:]
    terms: list[Term] = []
    for term in _terms(words[:MAX_WORDS], dictionary):
        (left_out.append(term.text) if term.kind == _IGNORED else terms.append(term))
    unread = [term.text for term in terms if term.kind == _OTHER]
    states = known(unread) if unread else {}
    read_terms: list[Term] = []
    for term in terms:
        if term.kind != _OTHER or states.get(term.text):
            read_terms.append(term)
        elif states.get(term.text, False) is None:
            left_out.append(term.text)
        else:
            read_terms.append(_corrected(term, dictionary, vocabulary()))
    different: dict[frozenset[Phrase], Term] = {}  # a red dress, a really red dress: a meaning counts once
    for term in read_terms:
        different.setdefault(frozenset(tuple(stem(word) for word in phrase) for phrase in term.same), term)
    return Reading(list(different.values()), left_out)


def _terms(words: Sequence[str], dictionary: Dictionary) -> list[Term]:
    terms: list[Term] = []
    position = 0
    while position < len(words):
        length, meanings = dictionary.longest(words[position:])
        phrase = tuple(words[position : position + max(length, 1)])
        terms.append(_term(phrase, meanings))
        position += max(length, 1)
    return terms


def _term(phrase: Phrase, meanings: Collection[Meaning]) -> Term:
    if not meanings:
        return Term(phrase, _OTHER, [phrase])
    same = dict.fromkeys([phrase, *(other for meaning in meanings for other in meaning.phrases)])
    narrower = dict.fromkeys(other for meaning in meanings for other in meaning.narrower() if other not in same)
    return Term(phrase, next(iter(meanings)).kind, list(same), list(narrower))


def _corrected(term: Term, dictionary: Dictionary, vocabulary: Mapping[str, int]) -> Term:
    word = correct(term.text, vocabulary)
    if word is None:
        return term
    _, meanings = dictionary.longest([word])
    better = _term((word,), meanings)
    better.instead_of = term.text
    return better
