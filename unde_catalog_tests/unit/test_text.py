"""Numbers, times and errors as short text."""

from datetime import timedelta

import pytest

from unde_catalog.text import duration, first_line, printable, quantity, shorten


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3_600, "60 minutes"),
        (90 * 60, "2 hours"), (47 * 3_600, "47 hours"), (48 * 3_600, "2 days"), (1_500 * 86_400, "1,500 days"),
    ],
)  # fmt: skip
def test_a_duration_is_given_in_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 photos"), (1, "1 photo"), (2_000, "2,000 photos")])
def test_a_quantity_has_its_plural(number: int, text: str) -> None:
    assert quantity(number, "photo") == text


def test_the_first_line_of_an_error_is_short_and_never_empty() -> None:
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError("x" * 400), limit=5) == "xxxxx"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcde fg", 7) == "abcde…"


def test_text_of_another_system_becomes_one_printable_line() -> None:
    assert printable("a\r\nb\x1b[31m") == "a  b [31m"
    assert printable(None) == ""
    assert printable("x" * 300) == "x" * 200
