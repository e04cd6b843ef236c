from unde_catalog.net.breaker import FAILURES, FAILURES_AFTER_REST, REST_SECONDS, Breaker


class Host:
    """A breaker and its clock; failures by product."""

    def __init__(self) -> None:
        self.now = 100.0
        self.breaker = Breaker(lambda: self.now)

    def fail(self, times: int, *owners: int, began: float | None = None) -> list[float]:
        """The moments until which it was told to rest."""
        rests = [
            self.breaker.failed(owners[i % len(owners)], f"cause {i}", self.now if began is None else began)
            for i in range(times)
        ]
        return [rest for rest in rests if rest is not None]


def test_a_row_of_failures_of_several_products_lets_the_host_rest_once() -> None:
    host = Host()
    assert host.fail(FAILURES - 1, 1, 2, 3) == []
    assert host.fail(1, 1) == [100 + REST_SECONDS]
    assert host.breaker.down is None


def test_a_single_bad_product_never_opens_it() -> None:
    host = Host()
    assert host.fail(500, 1) == []
    host.breaker.succeeded()
    host.fail(FAILURES, 1, 2, 3)
    host.now += REST_SECONDS
    host.fail(500, 4)
    assert host.breaker.down is None


def test_two_bad_products_do_not_open_it_either() -> None:
    assert Host().fail(500, 1, 2) == []


def test_a_good_answer_forgives_all_failures_before() -> None:
    host = Host()
    for _ in range(10):
        assert host.fail(FAILURES - 1, 1, 2, 3) == []
        host.breaker.succeeded()


def test_a_host_that_fails_after_its_rest_is_down_and_the_last_cause_is_named() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += REST_SECONDS
    assert host.fail(FAILURES_AFTER_REST, 4, 5) == []
    assert host.breaker.down == f"cause {FAILURES_AFTER_REST - 1}"


def test_failures_of_requests_that_were_under_way_when_the_rest_began_say_nothing_new() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += REST_SECONDS
    host.fail(10, 4, 5, 6, began=99.0)
    assert host.breaker.down is None


def test_a_host_that_answers_after_its_rest_may_fail_as_often_as_before() -> None:
    host = Host()
    host.fail(FAILURES, 1, 2, 3)
    host.now += REST_SECONDS
    host.breaker.succeeded()
    assert host.fail(FAILURES - 1, 4, 5, 6) == []
    assert host.breaker.down is None
    assert host.fail(1, 4) == [host.now + REST_SECONDS]
