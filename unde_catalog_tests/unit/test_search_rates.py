import pytest

from unde_catalog.services.search.middleware import api_keys
from unde_catalog.services.search.middleware.rate_limits import RateLimiter, address_bucket
from unde_catalog.services.search.ttl_cache import TtlCache


def test_a_bucket_allows_a_burst_of_one_minute_and_then_refills_evenly():
    limiter = RateLimiter(60)
    assert [limiter.take("a", 0) for _ in range(60)] == [0] * 60
    assert limiter.take("a", 0) == pytest.approx(1)
    assert limiter.take("a", 0.75) == pytest.approx(0.25)
    assert limiter.take("a", 1) == 0
    assert limiter.take("a", 1) == pytest.approx(1)
    assert [limiter.take("a", 1000) for _ in range(61)].count(0) == 60  # a bucket holds at most one minute


def test_every_client_has_its_own_bucket():
    limiter = RateLimiter(1)
    assert limiter.take("a", 0) == 0 and limiter.take("b", 0) == 0
    assert limiter.take("a", 0) == pytest.approx(60)


def test_zero_tokens_only_check_and_a_zero_rate_allows_everything():
    limiter = RateLimiter(1)
    assert [limiter.take("a", 0, tokens=0) for _ in range(9)] == [0] * 9
    assert limiter.take("a", 0) == 0
    assert limiter.take("a", 0, tokens=0) == pytest.approx(60)
    assert [RateLimiter(0).take("a", 0) for _ in range(1000)] == [0] * 1000


def test_the_number_of_buckets_is_bounded_and_the_oldest_is_dropped():
    limiter = RateLimiter(1, max_buckets=100)
    for n in range(10_000):
        limiter.take(str(n), n / 1000)
    assert len(limiter) == 100
    assert limiter.take("9999", 10) > 0  # its bucket still exists
    assert limiter.take("1", 10) == 0


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2:ffff::", "20010db800010002::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unix", "unix"),
        ("x" * 500, "x" * 100),
    ],
)
def test_an_ipv6_client_is_limited_by_network(address: str, bucket: str):
    assert address_bucket(address) == bucket


def test_a_key_is_read_from_either_header_if_well_formed():
    key = api_keys.generate()
    assert len(key) == len(api_keys.PREFIX) + 43 and key != api_keys.generate()
    assert api_keys.from_headers([(b"authorization", f"Bearer {key}".encode())]) == key
    assert api_keys.from_headers([(b"authorization", f"bearer   {key} ".encode())]) == key
    assert api_keys.from_headers([(b"x-api-key", key.encode())]) == key
    assert api_keys.from_headers([(b"x-api-key", b"something")]) == ""
    assert api_keys.from_headers([(b"authorization", b"Basic abc"), (b"accept", b"*/*")]) is None
    assert api_keys.redact(f"a {key}, b") == "a unde_***, b"
    with pytest.raises(ValueError, match="is not a valid key name"):
        api_keys.validate_name("web shop")


def test_a_cached_value_is_loaded_once_per_period():
    loads, now = [], [0.0]
    cache = TtlCache(lambda: loads.append(1) or len(loads), 60, lambda: now[0])
    assert [cache.get() for _ in range(3)] == [1, 1, 1]
    now[0] = 60
    assert cache.get() == 2


def test_a_failed_load_is_repeated():
    values = [0, 7]
    cache = TtlCache(lambda: 1 // values.pop(0) if values[0] == 0 else values[0], 60, lambda: 0)
    with pytest.raises(ZeroDivisionError):
        cache.get()
    assert cache.get() == 7
