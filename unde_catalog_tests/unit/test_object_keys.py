"""Object keys: every external id has keys of its own that every store accepts."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unde_catalog.stores.objects.keys import collage_key, original_key
from unde_catalog.stores.objects.objects import checked

HOSTILE = [
    *("", ".", "..", "...", "../../x", "/etc/passwd", "a/b", "a\\b", "a\0b", " a", "a ", "a b", "a.", "a..jpg"),
    *("ü", "платье", "👗", "a#1", "a%2Fb", "a\n", "a?b", "~", "%2e%2e", "\ud800", "x" * 101, "é" * 100),
]
ids = st.one_of(st.text(max_size=100), st.text("./\\ a-", max_size=6), st.sampled_from(HOSTILE))


def test_ordinary_ids_stay_as_they_are():
    assert original_key("zara", "495689099", 1) == "originals/zara/495689099/1.jpg"
    assert collage_key("zara", "495689099") == "collages/zara/495689099.jpg"
    assert original_key("oysho", "AB-c_9", 12) == "originals/oysho/AB-c_9/12.jpg"
    assert collage_key("zara", "x" * 100) == f"collages/zara/{'x' * 100}.jpg"


@pytest.mark.parametrize("external_id", HOSTILE)
def test_a_hostile_id_stays_in_its_folder(external_id: str):
    assert re.fullmatch(r"originals/zara/[A-Za-z0-9_-]+\.[0-9a-f]{32}/1\.jpg", original_key("zara", external_id, 1))


def test_a_hostile_id_stays_recognisable():
    assert original_key("zara", "Kleid rot/42", 1).startswith("originals/zara/Kleid-rot-42.")


@given(ids)
@example("a\n")
def test_every_id_makes_keys_that_every_store_accepts(external_id: str):
    for key in (original_key("zara", external_id, 1), collage_key("zara", external_id)):
        assert checked(key) == key
        assert key.count("/") == (3 if key.startswith("originals") else 2)
        assert all(len(segment) <= 110 for segment in key.split("/"))


@given(ids, ids)
@example("a b", "a-b")
@example("a b", "a  b")
@example("é", "e\u0301")
@example("", "id")
def test_two_ids_never_share_a_key(one: str, other: str):
    assert (original_key("zara", one, 1) == original_key("zara", other, 1)) is (one == other)
    assert (collage_key("zara", one) == collage_key("zara", other)) is (one == other)


@given(ids)
def test_an_id_equal_to_another_ids_key_does_not_collide(external_id: str):
    segment = original_key("zara", external_id, 1).split("/")[2]
    assert segment == external_id or original_key("zara", segment, 1) != original_key("zara", external_id, 1)


@pytest.mark.parametrize("brand", ["", "Zara", "../x", "pull&bear", "zara\n", "a/b", "é"])
def test_a_brand_must_be_a_brand_key(brand: str):
    with pytest.raises(ValueError, match="brand"):
        original_key(brand, "1", 1)
    with pytest.raises(ValueError, match="brand"):
        collage_key(brand, "1")


@pytest.mark.parametrize("n", [0, -1])
def test_photos_are_counted_from_1(n: int):
    with pytest.raises(ValueError, match="from 1"):
        original_key("zara", "1", n)
