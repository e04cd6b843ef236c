"""How a text query is read: the dictionary of garments and the spelling."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.services.search.word_search import fuse
from unde_catalog.services.search.words.dictionary import Dictionary, DictionaryError, load
from unde_catalog.services.search.words.normalise import words_of
from unde_catalog.services.search.words.reading import MAX_WORDS, Reading, read
from unde_catalog.services.search.words.spelling import correct

OWN = load()
VOCABULARY = {
    "dress": 90,
    "blouse": 40,
    "cardigan": 20,
    "seven": 5,
    "evening": 0,
    "платье": 0,
    "shirt": 70,
    "skirt": 60,
}


def reading(text: str, known: Mapping[str, bool | None] = {}, dictionary: Dictionary = OWN) -> Reading:
    def states(words: Sequence[str]) -> Mapping[str, bool | None]:
        return {word: known.get(word, False) for word in words}

    return read(text, dictionary, states, lambda: VOCABULARY)


def phrases(text: str) -> dict[str, set[str]]:
    return {term.text: {" ".join(phrase) for phrase in term.same} for term in reading(text).terms}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T-shirt, Чёрная", ["tshirt", "черная"]),
        ("t shirt V neck v-neck", ["tshirt", "vneck", "vneck"]),
        ("zip-up  DRESS_2", ["zip", "up", "dress_2"]),
        ("\uff24\uff32\uff25\uff33\uff33 'x' \\ & | !", ["dress", "x"]),
        ("", []),
    ],
)
def test_words_are_compared_without_case_accents_and_signs(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_word_finds_what_means_the_same_in_both_languages() -> None:
    assert {"sneakers", "кроссовки"} <= phrases("trainers")["trainers"]
    assert {"trainers"} <= phrases("кроссовках")["кроссовках"]
    assert list(phrases("красное платье")) == ["красное", "платье"]
    assert "red" in phrases("красное платье")["красное"]


def test_the_longest_phrase_is_one_term() -> None:
    terms = reading("black leather jackets with long sleeves", {"with": None}).terms
    assert [(term.text, term.kind) for term in terms] == [
        ("black", "colours"), ("leather jackets", "garments"), ("long sleeves", "styles")
    ]  # fmt: skip


def test_a_wide_word_includes_narrow_ones_and_not_the_other_way_round() -> None:
    shoes, boots = reading("shoes").terms[0], reading("boots").terms[0]
    assert ("trainers",) in shoes.narrower and ("flip", "flops") in shoes.narrower
    assert ("shoes",) not in [*boots.same, *boots.narrower]


def test_one_form_of_a_word_can_stand_alone() -> None:
    assert [term.kind for term in reading("белые").terms] == ["colours"]
    assert [term.kind for term in reading("белье").terms] == ["garments"]
    assert [term.kind for term in reading("short skirt").terms] == ["styles", "garments"]
    assert [term.kind for term in reading("denim shorts").terms] == ["materials", "garments"]


def test_words_without_meaning_and_too_many_words_are_left_out() -> None:
    found = reading("looking for a nice dress", {"for": None, "a": None})
    assert [term.text for term in found.terms] == ["dress"]
    assert found.left_out == ["looking", "nice", "for", "a"]
    many = reading(" ".join(f"word{n}" for n in range(MAX_WORDS + 3)))
    assert len(many.terms) == MAX_WORDS and many.left_out == ["word16", "word17", "word18"]
    assert [term.text for term in reading("red dresses crimson gown red").terms] == ["red", "dresses", "crimson"]


def test_an_unknown_word_is_corrected_and_that_is_told() -> None:
    found = reading("blouzes cardigen")
    assert found.corrected == "blouse cardigan"
    assert [term.instead_of for term in found.terms] == ["blouzes", "cardigen"]
    assert "блузка" in {" ".join(phrase) for phrase in found.terms[0].same}
    assert reading("zarina", {"zarina": True}).corrected is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("blouze", "blouse"), ("cardgian", "cardigan"), ("skrit", "skirt"), ("gkfnmt", "платье"), ("sevening", None),
        ("drss", "dress"), ("abc", None), ("dres5", None), ("xyzzyx", None), ("вкуыы", "dress"),
    ],
)  # fmt: skip
def test_a_word_is_corrected_to_a_near_one_with_the_same_first_letter(word: str, meant: str | None) -> None:
    assert correct(word, VOCABULARY) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dress", "line 1: words stand before the first [section]"),
        ("[hats]\nhat", "line 1: unknown section [hats]: the sections are garments, colours"),
        ("[garments]\nhat\nhats, caps > cap", "line 3: write `one > several, others`"),
        ("[garments]\nhat\nshoes > boots", "line 3: `shoes` stands in no other line"),
        ("[garments]\none two three four five six", "line 2: `one two three four five six` has more than 5 words"),
    ],
)
def test_a_mistake_in_a_dictionary_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DictionaryError) as error:
        Dictionary(text, "mine.txt")
    assert f"mine.txt, {message}" in str(error.value)


def test_an_unreadable_dictionary_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"[garments]\nrob\xe9")
    for name, message in [("no.txt", "can't be read: No such file"), ("latin.txt", "is not UTF-8 text")]:
        with pytest.raises(DictionaryError, match=message):
            load(tmp_path / name)


def test_circles_in_a_dictionary_end() -> None:
    circle = Dictionary("[garments]\ncoat\njacket\ncoat > jacket\njacket > coat", "x")
    assert reading("coat", dictionary=circle).terms[0].narrower == [("jacket",)]


def test_lists_are_fused_by_rank_and_the_heavier_list_counts_more() -> None:
    assert fuse([(2, [1, 2]), (1, [2, 3])]) == [2, 1, 3]
    assert fuse([(2, [1]), (1, [3])]) == [1, 3]


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    found = reading(text)
    words = words_of(text)
    assert sum(len(term.words) for term in found.terms) <= len(words)
    assert all("'" not in word and "\\" not in word for word in words)
