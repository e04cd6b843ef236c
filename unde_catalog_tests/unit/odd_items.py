"""Hypothesis strategies for malformed dataset items."""

from typing import Any

from hypothesis import strategies as st

_TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet=st.characters(codec=None, categories=None), max_size=10),  # including unpaired surrogates
    st.sampled_from(["", " ", "\x00", "a\x00b", "\ud800", "\udfff x", "Ã©tÃ©", "x" * 3_000, "😀" * 200, "\u2028"]),
)
_NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([1e308, 5e-324, -0.0, 2**63, 69900, 69900.0]),
    st.sampled_from([100, 4298, 4299, 4300, 5000]).map(lambda digits: -(10**digits)),
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=8,
)
_DEEP = st.integers(90, 110).map(lambda levels: nested(levels))
_COLOURS = st.lists(
    st.one_of(_VALUES, st.fixed_dictionaries({"xmedia": st.one_of(_VALUES, st.lists(_TEXTS, max_size=7))})), max_size=4
)


def nested(levels: int) -> Any:
    """A list nested this many levels deep."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def odd_items() -> st.SearchStrategy[Any]:
    """Mostly objects with an ID whose other fields are valid, odd, of a wrong type or missing."""
    fields = {
        "name": st.one_of(_TEXTS, _VALUES),
        "description": st.one_of(_TEXTS, _VALUES),
        "price": st.one_of(_NUMBERS, _TEXTS, st.integers(0, 10**7).map(str), _VALUES),
        "category": st.one_of(_TEXTS, _VALUES),
        "colors": st.one_of(_TEXTS, _VALUES),
        "sizes": _VALUES,
        "detailedComposition": st.one_of(_VALUES, _DEEP),
        "colorsSizesImagesJSON": st.one_of(_COLOURS, _VALUES),
        "more": _VALUES,
    }
    whole = st.integers(1, 10**9)
    object_ = st.fixed_dictionaries({"id": st.one_of(whole, whole, whole, _TEXTS, _NUMBERS, _VALUES)}, optional=fields)
    return st.one_of(object_, object_, object_, object_, _VALUES)
