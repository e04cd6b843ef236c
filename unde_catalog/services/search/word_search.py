"""Finds products by the words of a text, in the staging database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unde_catalog.services.search.ttl_cache import TtlCache
from unde_catalog.services.search.words.dictionary import load
from unde_catalog.services.search.words.normalise import stem
from unde_catalog.services.search.words.reading import Reading, Term, read
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.index import words
from unde_catalog.stores.staging.index.product_filters import Filters
from unde_catalog.stores.staging.index.words import TermQuery, WordHit

_VOCABULARY_SECONDS = 600
_RANK_OFFSET = 60  # the usual constant of reciprocal rank fusion: how little the first ranks differ
_GARMENT, _OTHER = 4, 1  # what a product without the term lacks


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """A product, and which words of the text it lacks."""

    product_id: int
    missing: list[str]


@dataclass(frozen=True, slots=True)
class FoundProducts:
    """The best products for a text, how it was read, and how many have all words, counted up to 20,000."""

    reading: Reading
    products: list[FoundProduct]
    total: int


class WordSearch:
    """Searches by words, with a dictionary (None: the project's own). Methods block. Thread-safe."""

    def __init__(self, dictionary: Path | None) -> None:
        """Raises `DictionaryError`."""
        self._dictionary = load(dictionary)
        self._vocabulary: TtlCache[_Vocabulary] | None = None

    def search(self, db: Database, text: str, filters: Filters, top_k: int) -> FoundProducts:
        """The products that match all words; if there are fewer than `top_k`, then those that match some.

        Of these, each is a garment that the text names, if it names any that the catalogue has.
        """
        reading = read(
            text,
            self._dictionary,
            lambda unread: db.read(words.known, unread),
            lambda: self._words_of(db).products,
        )
        if not reading.terms:
            return FoundProducts(reading, [], 0)
        stems = self._words_of(db).stems
        queries = [_query(term, stems) for term in reading.terms]
        complete = db.read(words.search_all, queries, filters, top_k)
        found = [FoundProduct(hit.product_id, []) for hit in complete.hits]
        if len(found) < top_k and len(queries) > 1:
            garments = [query for query, term in zip(queries, reading.terms, strict=True) if term.is_garment]
            partial = db.read(words.search_any, queries, garments, filters, top_k)
            ids = {product.product_id for product in found}
            found += [_found(hit, reading.terms) for hit in partial.hits if hit.product_id not in ids]
        return FoundProducts(reading, found[:top_k], complete.total)

    def _words_of(self, db: Database) -> "_Vocabulary":
        """The vocabulary, at most ten minutes old."""
        if self._vocabulary is None:
            self._vocabulary = TtlCache(lambda: self._load_vocabulary(db), _VOCABULARY_SECONDS)
        return self._vocabulary.get()

    def _load_vocabulary(self, db: Database) -> "_Vocabulary":
        products = db.read(words.vocabulary)
        return _Vocabulary({**dict.fromkeys(self._dictionary.words, 0), **products}, {stem(word) for word in products})


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The words of the dictionary and the catalogue with the number of products, and the stems of the catalogue's."""

    products: Mapping[str, int]
    stems: Collection[str]


def fuse(lists: Sequence[tuple[float, Sequence[int]]]) -> list[int]:
    """Several rankings (weight, products, the best first) as one, by reciprocal rank."""
    scores: dict[int, float] = {}
    for weight, products in lists:
        for rank, product in enumerate(products, 1):
            scores[product] = scores.get(product, 0) + weight / (_RANK_OFFSET + rank)
    return sorted(scores, key=lambda product: -scores[product])


def _query(term: Term, stems: Collection[str]) -> TermQuery:
    """The term for the database. Phrases without a common word of the catalogue do not count for the order."""
    same = [phrase for phrase in term.same if phrase == term.words or all(stem(word) in stems for word in phrase)]
    narrower = [phrase for phrase in term.narrower if all(stem(word) in stems for word in phrase)]
    weight = _GARMENT if term.is_garment else _OTHER
    return TermQuery(term.same, term.narrower, weight, (same, same + narrower))


def _found(hit: WordHit, terms: Sequence[Term]) -> FoundProduct:
    return FoundProduct(
        hit.product_id, [term.text for term, matches in zip(terms, hit.matches, strict=True) if not matches]
    )
