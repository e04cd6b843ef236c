"""Finds products by the words of a text, in the staging database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unde_catalog.services.search.ttl_cache import TtlCache
from unde_catalog.services.search.words.dictionary import Phrase, load
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
        own = sorted(self._dictionary.words)
        stems = {stem(word) for word, found in db.read(words.known, own).items() if found is not False}
        return _Vocabulary({**dict.fromkeys(own, 0), **db.read(words.vocabulary)}, stems)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The words of the dictionary and the catalogue with the number of products.

    `stems`: those of the dictionary that products have, or that no text search regards.
    """

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
    """The term for the database, without phrases that no product has: comparing them takes most of the time."""

    def had(phrases: Sequence[Phrase]) -> list[Phrase]:
        return [phrase for phrase in phrases if all(stem(word) in stems for word in phrase)]

    same = [term.words, *had([phrase for phrase in term.same if phrase != term.words])]
    return TermQuery(same, had(term.narrower), _GARMENT if term.is_garment else _OTHER)


def _found(hit: WordHit, terms: Sequence[Term]) -> FoundProduct:
    return FoundProduct(
        hit.product_id, [term.text for term, matches in zip(terms, hit.matches, strict=True) if not matches]
    )
