import json
from typing import Any

import pytest
from hypothesis import given

from unde_catalog.stages.raw_products.clean import TooDeep, clean, clean_text
from unde_catalog_tests.unit.odd_items import nested, odd_items


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\x00b", "ab"),
        ("\ud800x", "?x"),
        ("Ã©tÃ© 😀", "Ã©tÃ© 😀"),
        (float("nan"), None),
        (float("-inf"), None),
        pytest.param(10**4298, 10**4298, id="a number just short enough"),
        pytest.param(10**5000, None, id="an endless number"),
        pytest.param(-(10**5000), None, id="an endless negative number"),
        ({"\x00k": ["\x00", {"\udfff": True}]}, {"k": ["", {"?": True}]}),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_only_what_postgresql_refuses_is_removed(value: Any, cleaned: Any) -> None:
    assert clean(value) == cleaned


def test_a_hundred_levels_are_kept_and_one_more_is_too_deep() -> None:
    assert clean(nested(100)) == nested(100)
    with pytest.raises(TooDeep, match="more than 100 levels"):
        clean(nested(101))
    with pytest.raises(TooDeep):
        clean({"a": nested(100)})
    with pytest.raises(TooDeep):
        clean(nested(100_000))


@given(odd_items())
def test_a_cleaned_value_is_valid_json_and_stays_unchanged(value: Any) -> None:
    try:
        cleaned = clean(value)
    except TooDeep:
        return
    text = json.dumps(cleaned, allow_nan=False)
    assert "\\u0000" not in text
    text.encode()
    assert clean(cleaned) == cleaned


def test_a_clean_text_is_not_copied() -> None:
    text = "x" * 1000
    assert clean_text(text) is text
