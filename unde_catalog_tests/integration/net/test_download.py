"""The downloader's politeness: delays, retries, pauses and the breaker. Only time-outs wait in real time."""

import asyncio
import socket
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from unde_catalog.net.breaker import COOLDOWN_SECONDS, FAILURES, FAILURES_AFTER_COOLDOWN
from unde_catalog.net.download import MAX_HOST_PAUSE, Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.host_limiter import CONSECUTIVE_TIMEOUTS, THROTTLED_DELAY
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.user_agents import USER_AGENTS
from unde_catalog_tests.support.downloads import ANYWHERE, HEAD, PHOTO, POLICY, fetch, reason, using
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.upstream import RemoteHost, cut_after, hang, remote_host, reply


def test_a_complete_body_arrives_unchanged(host: RemoteHost, time: FakeTime) -> None:
    assert fetch(host.respond("/a", reply(PHOTO)), time) == Downloaded(PHOTO)
    chunked = b"3\r\n\xff\xd8\xff\r\n2\r\nab\r\n0\r\n\r\n"
    url = host.respond("/b", reply(chunked, Transfer_Encoding="chunked"))
    assert fetch(url, time) == Downloaded(b"\xff\xd8\xffab")


def test_user_agents_rotate_and_no_compression_is_requested(host: RemoteHost, time: FakeTime) -> None:
    async def sixteen(downloader: Downloader) -> None:
        for _ in range(16):
            await downloader.download(url, time.time + 10)

    url = host.respond("/a", reply(PHOTO))
    using(sixteen, time)
    assert [one.headers["user-agent"] for one in host.requests] == [*USER_AGENTS, *USER_AGENTS]
    assert len(set(USER_AGENTS)) == 8
    assert {one.headers["accept-encoding"] for one in host.requests} == {"identity"}
    assert not any({"cookie", "authorization", "proxy-authorization"} & set(one.headers) for one in host.requests)


# ---------------------------------------------------------------- retries and pauses


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_429_and_503_are_retried_after_5_15_and_45_seconds(host: RemoteHost, time: FakeTime, status: str) -> None:
    result = fetch(host.respond("/a", reply(b"", status)), time)
    assert reason(result) == f"http_{status[:3]}"
    assert len(host.requests) == 4
    assert time.time == 1000 + 5 + 15 + 45


def test_retry_after_overrides_the_default_delays(host: RemoteHost, time: FakeTime) -> None:
    date = formatdate(time.clock.wall() + 7 + 20, usegmt=True)
    url = host.respond(
        "/a",
        reply(b"", "503 Busy", Retry_After="7"),
        reply(b"", "429 Busy", Retry_After=date),
        reply(b"", "429 Busy", Retry_After="whenever"),
        reply(PHOTO),
    )
    assert fetch(url, time) == Downloaded(PHOTO)
    assert time.time == 1000 + 7 + 20 + 45


def test_a_retry_that_exceeds_the_deadline_is_not_started(host: RemoteHost, time: FakeTime) -> None:
    assert reason(fetch(host.respond("/a", reply(b"", "429 Busy", Retry_After="3600")), time)) == "http_429"
    assert (len(host.requests), time.time) == (1, 1000)
    assert reason(fetch(host.respond("/b", reply(b"", "503 Busy")), time, seconds=21)) == "http_503"
    assert host.paths() == ["/a", "/b", "/b", "/b"]  # delays of 5 and 15 seconds fit, 45 does not


def test_other_failures_are_not_retried_at_once(host: RemoteHost, time: FakeTime) -> None:
    for status in (404, 403, 500, 502):
        assert reason(fetch(host.respond(f"/{status}", reply(b"", f"{status} Because")), time)) == f"http_{status}"
    assert (len(host.requests), time.slept) == (4, [])


def test_one_429_pauses_the_whole_host_and_no_other(host: RemoteHost, time: FakeTime) -> None:
    async def three(downloader: Downloader) -> list[float]:
        async def finished_at(url: str) -> float:
            assert isinstance(await downloader.download(url, time.time + 120), Downloaded)
            return time.time

        busy = asyncio.create_task(finished_at(busy_url))
        while not host.requests:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # let its response arrive
        on_other_host = await finished_at(other_host.respond("/c", reply(PHOTO)))
        return [on_other_host, await finished_at(calm_url), await busy]

    busy_url = host.respond("/a", reply(b"", "429 Busy", Retry_After="30"), reply(PHOTO))
    calm_url = host.respond("/b", reply(PHOTO))

    async def slow_sleep(seconds: float) -> None:
        """Let time pass only after all three tasks could run."""
        until = time.time + seconds
        await asyncio.sleep(0.2)
        time.time = max(time.time, until)

    with remote_host() as other_host:
        clock = replace(time.clock, sleep=slow_sleep)

        async def run() -> list[float]:
            async with Downloader(POLICY, ANYWHERE, clock=clock) as downloader:
                return await three(downloader)

        assert asyncio.run(run()) == [1000, 1030, 1030]


@pytest.mark.parametrize("asked", [3_600, 365 * 86_400])
def test_a_long_retry_after_is_kept_for_the_whole_host(host: RemoteHost, time: FakeTime, asked: int) -> None:
    busy, other = host.respond("/a", reply(b"", "429 Busy", Retry_After=str(asked))), host.respond("/b", reply(PHOTO))
    seconds = min(asked, MAX_HOST_PAUSE)
    pauses: list[tuple[str, float]] = []

    async def on_pause(name: str, seconds: float) -> None:
        pauses.append((name, seconds))

    async def run() -> None:
        async with Downloader(POLICY, ANYWHERE, on_pause=on_pause, clock=time.clock) as downloader:
            assert reason(await downloader.download(busy, time.time + 120)) == "http_429"
            paused = await downloader.download(other, time.time + 120)
        assert isinstance(paused, DownloadFailed)
        assert (paused.reason, paused.fault, paused.retry_after) == ("host_paused", "upstream", seconds)
        async with Downloader(POLICY, ANYWHERE, clock=time.clock) as another:
            another.pause(*pauses[0])
            assert reason(await another.download(other, time.time + 120)) == "host_paused"
            time.time += seconds
            assert await another.download(other, time.time + 120) == Downloaded(PHOTO)

    asyncio.run(run())
    assert pauses == [(host.respond("/b", reply(PHOTO)).split("/")[2], seconds)]
    assert host.paths() == ["/a", "/b"]


@pytest.mark.parametrize(
    ("responses", "concurrency"),
    [
        ([reply(b"", "429 Busy", Retry_After="1")], 5),
        ([reply(b"", "503 Busy")] * 2, 2),
        ([reply(b"", "500 Oops")] * 5, 10),
        ([reply(b"", "404 Not Found")] * 5, 10),
    ],
)
def test_throttling_responses_reduce_the_concurrency(
    host: RemoteHost, time: FakeTime, responses: list[Any], concurrency: int
) -> None:
    running, seen = 0, []
    expected = asyncio.Event()

    async def count_and_reply(writer: asyncio.StreamWriter) -> None:
        """Respond once the expected number of requests is running and more could have started."""
        nonlocal running
        running += 1
        seen.append(running)
        if running >= concurrency:
            expected.set()
        await expected.wait()
        await asyncio.sleep(0.05)
        running -= 1
        writer.write(reply(PHOTO))

    async def many(downloader: Downloader) -> None:
        for _ in responses:
            await downloader.download(busy_url, time.time + 120)
        await asyncio.gather(*(downloader.download(calm_url, time.time + 120) for _ in range(10)))

    busy_url = host.respond("/a", *responses, reply(PHOTO))
    calm_url = host.respond("/b", count_and_reply)
    using(many, time)
    assert max(seen) == concurrency


def test_consecutive_timeouts_slow_the_requests_down(host: RemoteHost, time: FakeTime) -> None:
    async def three_and_two(downloader: Downloader) -> None:
        for url in (*[slow] * CONSECUTIVE_TIMEOUTS, calm_url, calm_url):
            await downloader.download(url, time.time + 120)

    slow, calm_url = host.respond("/a", hang), host.respond("/b", reply(PHOTO))
    using(three_and_two, time, replace(POLICY, slots=1, timeout=0.3))
    assert host.paths().count("/a") == CONSECUTIVE_TIMEOUTS
    assert time.slept == pytest.approx([2 * THROTTLED_DELAY] * 2)


# ---------------------------------------------------------------- a host that is down


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until_down(
    url: str, time: FakeTime, owners: int = 5, policy: DownloadPolicy = POLICY
) -> tuple[int, UpstreamUnavailable | None]:
    """How many downloads of several products it takes until the host counts as down."""

    async def many(downloader: Downloader) -> tuple[int, UpstreamUnavailable | None]:
        for i in range(200):
            try:
                await downloader.download(url, time.time + 120, owner=i % owners)
            except UpstreamUnavailable as error:
                with pytest.raises(UpstreamUnavailable):
                    await downloader.download(url, time.time + 120, owner="other")
                return i + 1, error
        return 200, None

    return using(many, time, policy)


def test_a_host_that_refuses_connections_cools_down_then_is_down(time: FakeTime) -> None:
    downloads, error = until_down(f"http://127.0.0.1:{closed_port()}/a", time)
    assert downloads == FAILURES + FAILURES_AFTER_COOLDOWN
    assert time.time == 1000 + COOLDOWN_SECONDS
    assert str(error).startswith("photos cannot be downloaded from 127.0.0.1: ")
    assert "no_connection" in str(error)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (reply(b"", "500 Oops"), "Oops (http_500)"),
        (reply(b"", "403 Forbidden"), "Forbidden (http_403)"),
        (cut_after(b""), "(reset)"),
        (cut_after(HEAD + b"Content-Length: 9999\r\n\r\nabc"), "(truncated)"),
        (reply(b"<html>Access Denied</html>"), "an HTML page instead of a photo (not_an_image)"),
        (reply(b""), "(empty)"),
        (hang, "no complete response within 0.02 s (timeout)"),
    ],
)
def test_a_host_that_fails_for_all_products_is_down_with_the_cause(
    host: RemoteHost, time: FakeTime, response: Any, message: str
) -> None:
    policy = replace(POLICY, timeout=0.02) if response is hang else POLICY  # a busy machine needs longer to respond
    downloads, error = until_down(host.respond("/a", response), time, policy=policy)
    assert error is not None and message in str(error)
    assert downloads == FAILURES + FAILURES_AFTER_COOLDOWN


def test_a_host_that_only_responds_429_is_soon_down(host: RemoteHost, time: FakeTime) -> None:
    _, error = until_down(host.respond("/a", reply(b"", "429 Slow Down")), time)
    assert error is not None and "Slow Down (http_429)" in str(error)
    assert len(host.requests) == FAILURES + FAILURES_AFTER_COOLDOWN


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_missing_photos_never_open_the_breaker(host: RemoteHost, time: FakeTime, status: str) -> None:
    assert until_down(host.respond("/a", reply(b"", status)), time) == (200, None)


def test_one_product_alone_never_opens_the_breaker(host: RemoteHost, time: FakeTime) -> None:
    assert until_down(host.respond("/a", reply(b"", "500 Oops")), time, owners=1) == (200, None)


def test_a_host_that_recovers_during_its_cooldown_is_used_again(host: RemoteHost, time: FakeTime) -> None:
    url = host.respond("/a", *[reply(b"", "500 Oops")] * (FAILURES + 1), reply(PHOTO))
    assert until_down(url, time) == (200, None)
    assert time.time == 1000 + COOLDOWN_SECONDS
