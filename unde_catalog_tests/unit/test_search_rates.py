import pytest

from unde_catalog.services.search.middleware import api_keys
from unde_catalog.services.search.middleware.rate_limits import Rates, of_address
from unde_catalog.services.search.ttl_cache import TtlCache


def test_a_minute_s_requests_may_come_at_once_and_then_one_after_the_other():
    rates = Rates(60)
    assert [rates.take("a", 0) for _ in range(60)] == [0] * 60
    assert rates.take("a", 0) == pytest.approx(1)
    assert rates.take("a", 0.75) == pytest.approx(0.25)
    assert rates.take("a", 1) == 0
    assert rates.take("a", 1) == pytest.approx(1)
    assert [rates.take("a", 1000) for _ in range(61)].count(0) == 60  # no more than a minute's are saved up


def test_everybody_has_a_bucket_of_their_own():
    rates = Rates(1)
    assert rates.take("a", 0) == 0 and rates.take("b", 0) == 0
    assert rates.take("a", 0) == pytest.approx(60)


def test_looking_takes_nothing_and_without_a_rate_everything_passes():
    rates = Rates(1)
    assert [rates.take("a", 0, tokens=0) for _ in range(9)] == [0] * 9
    assert rates.take("a", 0) == 0
    assert rates.take("a", 0, tokens=0) == pytest.approx(60)
    assert [Rates(0).take("a", 0) for _ in range(1000)] == [0] * 1000


def test_however_many_come_the_buckets_are_bounded_and_the_oldest_goes_first():
    rates = Rates(1, most=100)
    for n in range(10_000):
        rates.take(str(n), n / 1000)
    assert len(rates) == 100
    assert rates.take("9999", 10) > 0  # is remembered
    assert rates.take("1", 10) == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2:ffff::", "20010db800010002::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unix", "unix"),
        ("x" * 500, "x" * 100),
    ],
)
def test_an_address_is_counted_as_its_customer_s(address: str, counted: str):
    assert of_address(address) == counted


def test_a_key_is_read_from_either_header_and_what_can_not_be_one_is_none():
    key = api_keys.make()
    assert len(key) == len(api_keys.PREFIX) + 43 and key != api_keys.make()
    assert api_keys.given([(b"authorization", f"Bearer {key}".encode())]) == key
    assert api_keys.given([(b"authorization", f"bearer   {key} ".encode())]) == key
    assert api_keys.given([(b"x-api-key", key.encode())]) == key
    assert api_keys.given([(b"x-api-key", b"something")]) == ""
    assert api_keys.given([(b"authorization", b"Basic abc"), (b"accept", b"*/*")]) is None
    assert api_keys.hide(f"a {key}, b") == "a unde_***, b"
    with pytest.raises(ValueError, match="is no name for a key"):
        api_keys.checked_name("web shop")


def test_a_value_is_found_out_once_in_its_time():
    asked, now = [], [0.0]
    remembered = TtlCache(lambda: asked.append(1) or len(asked), 60, lambda: now[0])
    assert [remembered.get() for _ in range(3)] == [1, 1, 1]
    now[0] = 60
    assert remembered.get() == 2


def test_what_fails_is_asked_again():
    answers = [0, 7]
    remembered = TtlCache(lambda: 1 // answers.pop(0) if answers[0] == 0 else answers[0], 60, lambda: 0)
    with pytest.raises(ZeroDivisionError):
        remembered.get()
    assert remembered.get() == 7
