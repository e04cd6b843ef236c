"""Searches the words of products on sale (`product_words`), with the filters of `vectors.py`.

PostgreSQL's configuration `russian` knows the forms of Russian and English words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.index.product_filters import EVERYTHING, Filters, filter_conditions, filter_values

Phrase = Sequence[str]  # words in order, without punctuation

MAX_RANKED = 20_000  # products; of more matches, some 20,000 are ranked
_SAMPLED = 20_000  # products whose words are the vocabulary
_MAX_VOCABULARY = 50_000
_WEIGHTS = "{0.05, 0.15, 0.4, 1.0}"  # of description, composition, the rest, name


@dataclass(frozen=True, slots=True)
class TermQuery:
    """A term by what means the same and what it includes. `weight`: what a product without it lacks."""

    same: Sequence[Phrase]
    narrower: Sequence[Phrase]
    weight: int


@dataclass(frozen=True, slots=True)
class WordHit:
    """A product found, and which terms its words match, in their order."""

    product_id: int
    matches: list[bool]


@dataclass(frozen=True, slots=True)
class WordHits:
    """The best products, the best first. `total`: how many match, counted up to `MAX_RANKED`."""

    hits: list[WordHit]
    total: int


def known(cursor: Cursor, words: Sequence[str]) -> Mapping[str, bool | None]:
    """Whether any product on sale has each of some words; None for words without meaning, such as `the`."""
    # The planner would read the whole table for each word that no product has.
    cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
    cursor.execute(
        """
        SELECT word, CASE WHEN numnode(query) > 0 THEN EXISTS (
            SELECT 1 FROM product_words w WHERE w.words @@ query) END AS found
        FROM unnest(%s::text[]) AS word, to_tsquery('pg_catalog.russian', quote_literal(word)) AS query
        """,
        (list(words),),
    )
    return {row["word"]: row["found"] for row in cursor.fetchall()}


def vocabulary(cursor: Cursor) -> Mapping[str, int]:
    """The words of names, categories and colours, and how many products of a sample have each; common ones first."""
    cursor.execute(
        "SELECT least(100, 100.0 * %s / greatest(reltuples, 1))::float8 AS share FROM pg_class"
        " WHERE oid = 'raw_products'::regclass",
        (_SAMPLED,),
    )
    row = cursor.fetchone()
    assert row is not None  # the table exists
    texts = sql.SQL(
        "SELECT to_tsvector('pg_catalog.simple', search_text(concat_ws(' ', left(name, 1000), left(category, 1000),"
        " colour))) FROM raw_products TABLESAMPLE SYSTEM ({}) WHERE active LIMIT {}"
    ).format(row["share"], 2 * _SAMPLED)
    cursor.execute(
        "SELECT word, ndoc FROM ts_stat(%s) WHERE length(word) >= 3 AND word ~ '^[[:alpha:]]+$'"
        " ORDER BY ndoc DESC, word LIMIT %s",
        (texts.as_string(cursor), _MAX_VOCABULARY),
    )
    return {row["word"]: row["ndoc"] for row in cursor.fetchall()}


def search_all(cursor: Cursor, terms: Sequence[TermQuery], filters: Filters, top_k: int) -> WordHits:
    """The products that match all terms."""
    text = " & ".join(f"({_any(_wide(term))})" for term in terms)
    return _search(cursor, terms, text, sql.SQL("true"), filters, top_k)


def search_any(
    cursor: Cursor, terms: Sequence[TermQuery], required: Sequence[TermQuery], filters: Filters, top_k: int
) -> WordHits:
    """The products that match any term and all `required` ones; those that match more come first."""
    text = " & ".join(f"({_any(_wide(term))})" for term in required)
    text = text or " | ".join(_any(_wide(term)) for term in terms)
    matches = (sql.SQL("words @@ to_tsquery('pg_catalog.russian', {})").format(_any(_wide(term))) for term in terms)
    return _search(cursor, terms, text, sql.SQL(", ").join(matches), filters, top_k)


def _search(
    cursor: Cursor, terms: Sequence[TermQuery], query: str, matches: sql.Composable, filters: Filters, top_k: int
) -> WordHits:
    # What a term includes counts less than the term itself. ts_rank of alternatives is the sum of what matches.
    products: LiteralString = ""
    if filters != EVERYTHING:
        products = f"JOIN raw_products p ON p.id = w.product_id AND {filter_conditions(filters, 'p.active')[1]}"
    statement = sql.SQL(
        """
        SELECT product_id, matches, total FROM (
            SELECT product_id, words, ARRAY[{matches}] AS matches, count(*) OVER () AS total FROM (
                SELECT w.product_id, w.words FROM product_words w {products}
                WHERE w.words @@ to_tsquery('pg_catalog.russian', %(query)s) LIMIT %(most)s) AS found) AS found
        ORDER BY (SELECT sum(weight) FROM unnest(matches, %(term_weights)s::int[]) AS term (matches, weight)
                  WHERE term.matches) DESC,
                 ts_rank(%(weights)s, words, to_tsquery('pg_catalog.russian', %(same)s))
                 + 0.5 * ts_rank(%(weights)s, words, to_tsquery('pg_catalog.russian', %(wide)s)) DESC, product_id
        LIMIT %(top_k)s
        """
    ).format(matches=matches, products=sql.SQL(products))
    cursor.execute(
        statement,
        {
            **filter_values(filters),
            "query": query,
            "same": " | ".join(_any(term.same) for term in terms),
            "wide": " | ".join(_any(_wide(term)) for term in terms),
            "weights": _WEIGHTS,
            "term_weights": [term.weight for term in terms],
            "most": MAX_RANKED,
            "top_k": top_k,
        },
    )
    rows = cursor.fetchall()
    return WordHits([WordHit(row["product_id"], row["matches"]) for row in rows], rows[0]["total"] if rows else 0)


def _wide(term: TermQuery) -> list[Phrase]:
    return [*term.same, *term.narrower]


def _any(phrases: Sequence[Phrase]) -> str:
    """The text of a tsquery: any of these phrases. Words have no quotes or backslashes, see `words_of`."""
    return " | ".join("(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in phrases)
