"""The downloader's manners: waiting, asking again, leaving a host alone. Only time-outs wait for real."""

import asyncio
import socket
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from unde_catalog.net.breaker import FAILURES, FAILURES_AFTER_REST, REST_SECONDS
from unde_catalog.net.download import LONGEST_PAUSE, Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.host_limiter import NARROWED_REST, TIMEOUTS
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.user_agents import USER_AGENTS
from unde_catalog_tests.support.downloads import ANYWHERE, HEAD, MANNERS, PHOTO, fetch, reason, using
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.upstream import FarSide, cut_after, far_side, hang, reply


def test_a_whole_body_arrives_as_it_was_sent(host: FarSide, time: FakeTime) -> None:
    assert fetch(host.answer("/a", reply(PHOTO)), time) == Downloaded(PHOTO)
    chunked = b"3\r\n\xff\xd8\xff\r\n2\r\nab\r\n0\r\n\r\n"
    url = host.answer("/b", reply(chunked, Transfer_Encoding="chunked"))
    assert fetch(url, time) == Downloaded(b"\xff\xd8\xffab")


def test_eight_user_agents_take_turns_and_nothing_packed_is_asked_for(host: FarSide, time: FakeTime) -> None:
    async def ten(downloader: Downloader) -> None:
        for _ in range(16):
            await downloader.download(url, time.time + 10)

    url = host.answer("/a", reply(PHOTO))
    using(ten, time)
    assert [one.headers["user-agent"] for one in host.asked] == [*USER_AGENTS, *USER_AGENTS]
    assert len(set(USER_AGENTS)) == 8
    assert {one.headers["accept-encoding"] for one in host.asked} == {"identity"}
    assert not any({"cookie", "authorization", "proxy-authorization"} & set(one.headers) for one in host.asked)


# ---------------------------------------------------------------- waiting and asking again


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_busy_host_is_asked_again_after_5_15_and_45_seconds_and_no_more(
    host: FarSide, time: FakeTime, status: str
) -> None:
    answer = fetch(host.answer("/a", reply(b"", status)), time)
    assert reason(answer) == f"http_{status[:3]}"
    assert len(host.asked) == 4
    assert time.time == 1000 + 5 + 15 + 45


def test_what_the_host_says_in_retry_after_wins_over_our_own_waits(host: FarSide, time: FakeTime) -> None:
    date = formatdate(time.clock.wall() + 7 + 20, usegmt=True)
    url = host.answer(
        "/a",
        reply(b"", "503 Busy", Retry_After="7"),
        reply(b"", "429 Busy", Retry_After=date),
        reply(b"", "429 Busy", Retry_After="whenever"),
        reply(PHOTO),
    )
    assert fetch(url, time) == Downloaded(PHOTO)
    assert time.time == 1000 + 7 + 20 + 45


def test_a_wait_that_does_not_fit_into_the_products_time_is_not_begun(host: FarSide, time: FakeTime) -> None:
    assert reason(fetch(host.answer("/a", reply(b"", "429 Busy", Retry_After="3600")), time)) == "http_429"
    assert (len(host.asked), time.time) == (1, 1000)
    assert reason(fetch(host.answer("/b", reply(b"", "503 Busy")), time, seconds=21)) == "http_503"
    assert host.paths() == ["/a", "/b", "/b", "/b"]  # 5 and 15 seconds fit, 45 don't


def test_other_faults_are_left_to_a_later_try(host: FarSide, time: FakeTime) -> None:
    for status in (404, 403, 500, 502):
        assert reason(fetch(host.answer(f"/{status}", reply(b"", f"{status} Because")), time)) == f"http_{status}"
    assert (len(host.asked), time.slept) == (4, [])


def test_one_429_holds_up_the_whole_host_but_no_other(host: FarSide, time: FakeTime) -> None:
    async def three(downloader: Downloader) -> list[float]:
        async def when(url: str) -> float:
            assert isinstance(await downloader.download(url, time.time + 120), Downloaded)
            return time.time

        busy = asyncio.create_task(when(busy_url))
        while not host.asked:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # let its answer arrive
        other = await when(elsewhere.answer("/c", reply(PHOTO)))
        return [other, await when(calm_url), await busy]

    busy_url = host.answer("/a", reply(b"", "429 Busy", Retry_After="30"), reply(PHOTO))
    calm_url = host.answer("/b", reply(PHOTO))
    time_of: list[float] = []

    async def held_sleep(seconds: float) -> None:
        """Time passes only when all three had their chance to go on."""
        until = time.time + seconds
        await asyncio.sleep(0.2)
        time.time = max(time.time, until)
        time_of.append(time.time)

    with far_side() as elsewhere:
        waiting = replace(time.clock, sleep=held_sleep)

        async def run() -> list[float]:
            async with Downloader(MANNERS, ANYWHERE, clock=waiting) as downloader:
                return await three(downloader)

        assert asyncio.run(run()) == [1000, 1030, 1030]


def test_a_host_can_hold_itself_up_for_a_minute_at_most_by_one_answer(host: FarSide, time: FakeTime) -> None:
    async def two(downloader: Downloader) -> Downloaded | DownloadFailed:
        await downloader.download(host.answer("/a", reply(b"", "429 Busy", Retry_After="86400")), time.time + 120)
        return await downloader.download(host.answer("/b", reply(PHOTO)), time.time + 120)

    assert using(two, time) == Downloaded(PHOTO)
    assert time.time == 1000 + LONGEST_PAUSE


@pytest.mark.parametrize(
    ("troubles", "at_once"),
    [
        ([reply(b"", "429 Busy", Retry_After="1")], 5),
        ([reply(b"", "503 Busy")] * 2, 2),
        ([reply(b"", "500 Oops")] * 5, 10),
        ([reply(b"", "404 Not Found")] * 5, 10),
    ],
)
def test_a_host_that_is_asked_too_much_is_asked_by_fewer_at_once(
    host: FarSide, time: FakeTime, troubles: list[Any], at_once: int
) -> None:
    inside, seen = 0, []
    expected = asyncio.Event()

    async def counted(writer: asyncio.StreamWriter) -> None:
        """Answer when as many as expected came in, and others had a chance to."""
        nonlocal inside
        inside += 1
        seen.append(inside)
        if inside >= at_once:
            expected.set()
        await expected.wait()
        await asyncio.sleep(0.05)
        inside -= 1
        writer.write(reply(PHOTO))

    async def many(downloader: Downloader) -> None:
        for _ in troubles:
            await downloader.download(trouble, time.time + 120)
        await asyncio.gather(*(downloader.download(calm, time.time + 120) for _ in range(10)))

    trouble = host.answer("/a", *troubles, reply(PHOTO))
    calm = host.answer("/b", counted)
    using(many, time)
    assert max(seen) == at_once


def test_a_host_that_does_not_answer_in_time_again_and_again_is_asked_at_a_slower_pace(
    host: FarSide, time: FakeTime
) -> None:
    async def three_and_two(downloader: Downloader) -> None:
        for url in (*[slow] * TIMEOUTS, calm, calm):
            await downloader.download(url, time.time + 120)

    slow, calm = host.answer("/a", hang), host.answer("/b", reply(PHOTO))
    using(three_and_two, time, replace(MANNERS, slots=1, timeout=0.02))
    assert host.paths().count("/a") == TIMEOUTS
    assert time.slept == pytest.approx([2 * NARROWED_REST] * 2)


# ---------------------------------------------------------------- a host that is down


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until_down(
    url: str, time: FakeTime, owners: int = 5, manners: DownloadPolicy = MANNERS
) -> tuple[int, UpstreamUnavailable | None]:
    """How many downloads of several products it takes until the far side counts as down."""

    async def many(downloader: Downloader) -> tuple[int, UpstreamUnavailable | None]:
        for i in range(200):
            try:
                await downloader.download(url, time.time + 120, owner=i % owners)
            except UpstreamUnavailable as error:
                with pytest.raises(UpstreamUnavailable):
                    await downloader.download(url, time.time + 120, owner="other")
                return i + 1, error
        return 200, None

    return using(many, time, manners)


def test_a_host_that_refuses_connections_gets_a_rest_and_then_stops_the_stage(time: FakeTime) -> None:
    asked, error = until_down(f"http://127.0.0.1:{closed_port()}/a", time)
    assert asked == FAILURES + FAILURES_AFTER_REST
    assert time.time == 1000 + REST_SECONDS
    assert str(error).startswith("photos of 127.0.0.1 don't get through: ")
    assert "no_connection" in str(error)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(b"", "500 Oops"), "Oops (http_500)"),
        (reply(b"", "403 Forbidden"), "Forbidden (http_403)"),
        (cut_after(b""), "(reset)"),
        (cut_after(HEAD + b"Content-Length: 9999\r\n\r\nabc"), "(truncated)"),
        (reply(b"<html>Access Denied</html>"), "a page of HTML instead of a photo (not_an_image)"),
        (reply(b""), "(empty)"),
        (hang, "no whole answer within 0.02 s (timeout)"),
    ],
)
def test_a_host_that_fails_for_all_products_stops_the_stage_with_the_cause(
    host: FarSide, time: FakeTime, answer: Any, said: str
) -> None:
    asked, error = until_down(host.answer("/a", answer), time, manners=replace(MANNERS, timeout=0.02))
    assert error is not None and said in str(error)
    assert asked == FAILURES + FAILURES_AFTER_REST


def test_a_host_that_only_says_429_is_not_asked_by_thousands_of_products(host: FarSide, time: FakeTime) -> None:
    asked, error = until_down(host.answer("/a", reply(b"", "429 Slow Down", Retry_After="3600")), time)
    assert error is not None and "Slow Down (http_429)" in str(error)
    assert len(host.asked) == asked == FAILURES + FAILURES_AFTER_REST


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_photos_that_are_gone_do_not_make_a_host_down(host: FarSide, time: FakeTime, status: str) -> None:
    assert until_down(host.answer("/a", reply(b"", status)), time) == (200, None)


def test_one_product_alone_never_makes_a_host_down(host: FarSide, time: FakeTime) -> None:
    assert until_down(host.answer("/a", reply(b"", "500 Oops")), time, owners=1) == (200, None)


def test_a_host_that_comes_back_during_its_rest_is_asked_on(host: FarSide, time: FakeTime) -> None:
    url = host.answer("/a", *[reply(b"", "500 Oops")] * (FAILURES + 1), reply(PHOTO))
    assert until_down(url, time) == (200, None)
    assert time.time == 1000 + REST_SECONDS
