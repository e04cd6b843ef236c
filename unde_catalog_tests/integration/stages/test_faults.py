"""Every fault of the sandbox as the photo downloader reports it, and a brand with all of them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from aiohttp import web

from unde_catalog.backends import Backends
from unde_catalog.net.download import Downloader, DownloadPolicy
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.sandbox import faults
from unde_catalog.sandbox.fault_responses import RESPONSES
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import normalise
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.unit.drawn_photos import detailed, saved

PHOTO = saved(detailed())
POLICY = DownloadPolicy(slots=10, delay_min=0, delay_max=0, timeout=5, max_retries=3, max_bytes=20_000_000)

RESULTS = {  # the reason reported for each fault
    "404": "http_404",
    "500": "http_500",
    "429": "http_429",
    "timeout": "timeout",
    "drip": "timeout",
    "reset": "truncated",
    "truncated": "truncated",
    "length-long": "truncated",
    "length-short": "broken_answer",
    "half": "truncated",
    "empty": "empty",
    "brd-error": "empty",  # without a proxy
    "html": "not_an_image",
    "html-as-jpeg": "not_an_image",
    "too-large": "too_large",
    "endless": "too_large",
    "bomb": "too_many_pixels",
    "to-private": "refused_address",
    "redirect-loop": "too_many_redirects",
}
RESULTS_AFTER = {  # faults that apply after the work is done, and the reasons reported for photos
    "503-after": "http_503",
    "body-503": "not_an_image",
    "timeout-after": "timeout",
    "lost": "reset",
    "late-1": "timeout",
    "not-json": "not_an_image",
    "wrong-types": "not_an_image",
}


@pytest.fixture(scope="module")
def photos() -> Iterator[str]:
    """The URL of a host where every request for `/<fault>` has that fault."""

    async def photo(_: web.Request) -> web.StreamResponse:
        return web.Response(body=PHOTO, content_type="image/jpeg")

    async def respond(request: web.Request) -> web.StreamResponse:
        fault = request.match_info["fault"]
        configured = faults_by_name.setdefault(
            fault, faults.parse_faults(None if fault == "none" else f"photo:{fault}=1")
        )
        return await configured.around("photo", request, photo)

    async def start() -> int:
        app = web.Application()
        app.router.add_get("/{fault}", respond)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return runner.addresses[0][1]

    faults_by_name: dict[str, faults.Faults] = {}
    runners: list[web.AppRunner] = []
    loop = asyncio.new_event_loop()
    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def fetch_all(photos: str, *names: str, time: FakeTime | None = None, timeout: float = 5) -> list[str]:
    """The results of fetching these photos one after the other with one downloader."""

    async def run() -> list[str]:
        clock = (time or FakeTime()).clock
        policy = replace(POLICY, timeout=timeout)
        async with Downloader(policy, UrlPolicy(any_host=True), clock=clock) as downloader:
            return [_result(await downloader.download(f"{photos}/{name}", clock.now() + 120)) for name in names]

    return asyncio.run(run())


def _result(respond: Downloaded | DownloadFailed) -> str:
    if isinstance(respond, DownloadFailed):
        return respond.reason
    image = normalise(respond.body)
    return image.reason if isinstance(image, Refused) else "photo"


@pytest.mark.parametrize(("fault", "expected"), [*RESULTS.items(), *RESULTS_AFTER.items()])
def test_each_fault_has_its_reason_and_affects_no_other_photo(photos: str, fault: str, expected: str) -> None:
    timeout = 0.3 if expected == "timeout" else 5
    assert fetch_all(photos, fault, "none", "none", timeout=timeout) == [expected, "photo", "photo"]


def test_every_fault_is_tested_and_documented_in_the_help() -> None:
    assert set(RESPONSES) <= {*RESULTS, *RESULTS_AFTER}
    assert faults.__doc__ is not None
    for name in RESPONSES:
        assert name in faults.__doc__


def test_retry_after_is_given_in_seconds_and_as_a_date(photos: str) -> None:
    time = FakeTime()
    assert fetch_all(photos, "429-in-7x1", time=time) == ["photo"]
    assert time.time == 1007
    # The date follows the sandbox's real clock, far ahead of the fake one, so that the delay exceeds the deadline.
    assert fetch_all(photos, "503-at-7") == ["http_503"]


@pytest.mark.parametrize("fault", ["200", "600", "429-in", "429-in-x", "in-5", "429-on-5"])
def test_an_unknown_fault_is_named(fault: str) -> None:
    with pytest.raises(faults.FaultSpecError, match=f"'{fault}'"):
        faults.parse_faults(f"photo:{fault}=1")


@pytest.mark.slow
def test_temporary_faults_lose_no_photo(
    start_sandbox: Callable[..., Sandbox], configured: Callable[..., dict[str, str]]
) -> None:
    permanent = [f"{name}=0.03" for name in RESULTS if name not in ("timeout", "drip", "endless", "too-large")]
    temporary = ["503-in-0x1=0.1", "500x1=0.1", "truncatedx1=0.1", "resetx1=0.1"]
    rules = ",".join(f"photo:{rule}" for rule in [*permanent, *temporary])
    sandbox = start_sandbox("--faults", rules, "--seed", "3")
    configured(sandbox, MAX_RETRIES="1")
    with Backends(load_settings()) as backends:

        def run(stage: str):
            options = RunOptions(run_id="run", root_run="run")
            return run_stage(stage, StageRun("zara", backends, options, logging.getLogger("test")))

        assert run("raw_products").counts["new"] == 20
        reports = []
        for _ in range(4):  # one run for temporary faults, three for faults of a photo
            execute(backends.db, "UPDATE due_work SET due_at = unde_now() WHERE due_at IS NOT NULL")
            reports.append(run("originals"))
        assert reports[0].failed > 5, "too few requests had a fault"
        for report in reports:
            assert not report.released and "unexpected_error" not in report.failures()
        products = execute(
            backends.db,
            "SELECT p.image_status AS status, p.error_message AS message, w.given_up, w.due_at IS NOT NULL AS due,"
            " array_agg(f.reason) AS reasons, coalesce(jsonb_array_length(p.image_urls), 0) AS urls,"
            " count(*) FILTER (WHERE f.state = 'stored') AS stored"
            " FROM raw_products p JOIN due_work w ON w.product_id = p.id AND w.stage = 'originals'"
            " JOIN product_photos f ON f.product_id = p.id GROUP BY p.id, w.given_up, w.due_at",
        )
        assert len(products) == 20
        host_faults = {"http_500", "http_429", "http_503"}
        for product in products:
            lasting = host_faults & set(product["reasons"])
            assert product["due"] == bool(lasting)
            assert product["status"] == ("pending" if lasting else "uploaded" if product["stored"] else "error"), (
                product
            )
            assert product["message"] if lasting else product["urls"] == product["stored"]
        assert {product["status"] for product in products} >= {"pending", "uploaded"}
