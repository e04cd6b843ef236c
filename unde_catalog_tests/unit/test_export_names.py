import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.services.export.names import category_folder, image_file

ANYTHING = st.text(max_size=300) | st.text("aA_./\\~12 é\0", max_size=12) | st.just("x" * 300)
SIMILAR = st.text("aAb_.-~12/ ", max_size=5)


def is_safe(name: str) -> bool:
    return (
        0 < len(name.encode()) <= 200
        and name[0] not in ".-~ "
        and ".." not in name
        and not name.endswith((".", " "))
        and not set(name) & set('/\\\0:*?"<>|\n')
        and all(char == " " or unicodedata.category(char)[0] in "LMNPS" for char in name)
        and unicodedata.is_normalized("NFC", name)
    )


@given(ANYTHING)
def test_every_category_has_a_safe_folder_name(category: str) -> None:
    assert is_safe(category_folder(category))


@given(ANYTHING, st.integers(1, 100))
def test_every_external_id_has_a_safe_file_name(external_id: str, n: int) -> None:
    assert is_safe(image_file(external_id, n, "bakai"))


@given(st.tuples(SIMILAR, st.integers(1, 100)), st.tuples(SIMILAR, st.integers(1, 100)), st.sampled_from(["a", "b"]))
def test_no_two_photos_share_a_file(one: tuple[str, int], other: tuple[str, int], brand: str) -> None:
    assert (one == other) == (image_file(*one, brand) == image_file(*other, brand))


@given(st.tuples(SIMILAR, st.integers(1, 100)), st.tuples(SIMILAR, st.integers(1, 100)))
def test_no_two_photos_share_a_file_without_case(one: tuple[str, int], other: tuple[str, int]) -> None:
    names = [image_file(*photo, "a", case_sensitive=False).casefold() for photo in (one, other)]
    assert (one == other) == (names[0] == names[1])


def test_the_second_of_two_ids_that_differ_in_case_gets_a_hash() -> None:
    for case_sensitive in (True, False):
        twin = image_file("ab-1", 1, "bakai", case_sensitive=case_sensitive, has_twin=True)
        assert twin.startswith("ab-1~") and twin != image_file("AB-1", 1, "bakai", case_sensitive=case_sensitive)


@given(ANYTHING)
def test_names_are_deterministic(text: str) -> None:
    assert image_file(text, 1, "bakai") == image_file(text, 1, "bakai")
    assert category_folder(text) == category_folder(f" {text}\n")


@pytest.mark.parametrize(
    "text", ["bakai_12345", "495689099", "02086797-V2026", "Ab_C", "шапка", "Home & Garden", "a.b"]
)
def test_an_ordinary_name_is_unchanged(text: str) -> None:
    assert image_file(text, 1, "bakai") == f"{text}.jpg"
    assert image_file(text, 12, "bakai") == f"{text}_12.jpg"
    assert category_folder(text) == text


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("../../etc/passwd", "____etc_passwd~"),
        (".hidden", "_hidden~"),
        ("-rf", "_rf~"),
        ("CON", "_CON~"),
        ("com1.txt", "_com1.txt~"),
        ("a\0b", "a_b~"),
        ("woman/shoes", "woman_shoes~"),
        ("...", "_~"),
        ("a..b", "a_b~"),
        ("\u202egpj.exe", "_gpj.exe~"),
        ("\ud800", "_~"),
        ("e\u0301", "\u00e9~"),  # one letter with two encodings
        ("bakai_12_2", "bakai_12_2~"),  # the name of photo 2 of bakai_12
        ("a~0123456789abcdef", "a~0123456789abcdef~"),
    ],
)
def test_any_other_name_is_a_readable_part_and_a_hash(text: str, readable: str) -> None:
    name = image_file(text, 1, "bakai").removesuffix(".jpg")
    assert name[:-16] == readable
    assert int(name[-16:], 16) >= 0


@pytest.mark.parametrize("blank", [None, "", " ", "\n\t"])
def test_a_blank_category_is_uncategorized(blank: str | None) -> None:
    assert category_folder(blank) == "uncategorized"
