from unde_catalog.net.breaker import COOLDOWN_SECONDS, FAILURES, FAILURES_AFTER_COOLDOWN, Breaker


class Host:
    """A breaker with a clock; failures by product."""

    def __init__(self) -> None:
        self.now = 100.0
        self.breaker = Breaker(lambda: self.now)

    def fail(self, times: int, *owners: int, started_at: float | None = None) -> list[float]:
        """When the cooldowns end that these failures cause."""
        ends = [
            self.breaker.failed(owners[i % len(owners)], f"cause {i}", self.now if started_at is None else started_at)
            for i in range(times)
        ]
        return [end for end in ends if end is not None]


def test_failures_of_several_products_start_one_cooldown() -> None:
    host = Host()
    assert host.fail(FAILURES - 1, 1, 2, 3) == []
    assert host.fail(1, 1) == [100 + COOLDOWN_SECONDS]
    assert host.breaker.down_cause is None


def test_a_single_bad_product_never_opens_the_breaker() -> None:
    host = Host()
    assert host.fail(500, 1) == []
    host.breaker.succeeded()
    host.fail(FAILURES, 1, 2, 3)
    host.now += COOLDOWN_SECONDS
    host.fail(500, 4)
    assert host.breaker.down_cause is None


def test_two_bad_products_never_open_the_breaker() -> None:
    assert Host().fail(500, 1, 2) == []


def test_a_success_resets_all_earlier_failures() -> None:
    host = Host()
    for _ in range(10):
        assert host.fail(FAILURES - 1, 1, 2, 3) == []
        host.breaker.succeeded()


def test_a_host_that_fails_after_its_cooldown_is_down_with_the_last_cause() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += COOLDOWN_SECONDS
    assert host.fail(FAILURES_AFTER_COOLDOWN, 4, 5) == []
    assert host.breaker.down_cause == f"cause {FAILURES_AFTER_COOLDOWN - 1}"


def test_failures_of_requests_older_than_the_cooldown_are_ignored() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += COOLDOWN_SECONDS
    host.fail(10, 4, 5, 6, started_at=99.0)
    assert host.breaker.down_cause is None


def test_a_success_after_the_cooldown_restores_the_first_limit() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += COOLDOWN_SECONDS
    host.breaker.succeeded()
    assert host.fail(FAILURES - 1, 4, 5, 6) == []
    assert host.breaker.down_cause is None
    assert host.fail(1, 4) == [host.now + COOLDOWN_SECONDS]
