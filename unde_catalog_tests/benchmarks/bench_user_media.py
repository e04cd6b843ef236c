"""Measures user media: photos per second of batches, and the time of a single photo, alone and while batches run.

Run this module with `python -m`; it takes about a minute. NATS, PostgreSQL, an S3 server that checks signatures and the
service are real processes. Telegram is the sandbox on this machine, so that only the service is measured.
The baseline has no results, rows or checks: getFile, download and put with aiohttp, with the same concurrency.
Exits with 1 if a request got no result, or a result contains a failed photo.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client

from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS
from unde_catalog.settings.environment import load_user_media_settings
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog_tests.support.nats_servers import running_nats
from unde_catalog_tests.support.s3_servers import running_rclone
from unde_catalog_tests.support.servers import running_sandbox, wheel_server
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, private_environment

BATCHES, BATCH_SIZE, CONCURRENCY, SINGLES = 10, 100, 5, 100
_TIMEOUT = 300.0  # seconds for all results of one measurement
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Results:
    """The results by the avatar of their request, and the number of failed photos."""

    client: Client
    pending: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    failed: int = 0

    async def receive(self, message: Any) -> None:
        """A result, on any subject."""
        result = json.loads(message.data)
        self.failed += result.get("failed_files") or 0 if "error_code" not in result else 1
        pending = self.pending.get(result["avatar_id"])
        if pending is not None and not pending.done():
            pending.set_result(result)

    async def request(self, subject: str, avatar: str, request: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        """Publish a request and return an awaitable of its result. The avatar must be unique."""
        self.pending[avatar] = asyncio.get_running_loop().create_future()
        body = {"bot_id": 1, "user_id": 2, "avatar_id": avatar, **request}
        await self.client.jetstream().publish(subject, json.dumps(body).encode())
        return asyncio.wait_for(self.pending[avatar], _TIMEOUT)


async def measure(url: str, pid: int) -> tuple[int, list[str]]:
    """The number of failed photos, and the measurements as lines."""
    async with _results(url) as results:
        await _batches(results, 1, "warm")
        alone = await _singles(results, "alone", lambda n: n < SINGLES)
        cpu = _cpu(pid)
        seconds = await _batches(results, BATCHES, "batch")
        cpu = _cpu(pid) - cpu
        running = asyncio.create_task(_batches(results, BATCHES, "parallel"))
        parallel = await _singles(results, "parallel-single", lambda _: not running.done())
        await running
        photos = BATCHES * BATCH_SIZE
        return results.failed, [
            f"{BATCHES} batches of {BATCH_SIZE}, {CONCURRENCY} photos at once: {photos / seconds:.0f} photos/s, "
            f"{1000 * cpu / photos:.1f} ms CPU per photo",
            f"single photos, one after the other: {_percentiles(alone)}",
            f"the same while batches of {BATCH_SIZE} run: {_percentiles(parallel)}",
        ]


async def _batches(results: Results, count: int, name: str) -> float:
    """Seconds until `count` batches, published at once, have results."""
    started = time.perf_counter()
    pending = []
    for n in range(count):
        photos = [{"file_id": f"AgAD-{name}-{n}-{photo}"} for photo in range(BATCH_SIZE)]
        pending.append(await results.request("photo_upload_train", f"{name}{n}", {"header": "train", "photos": photos}))
    await asyncio.gather(*pending)
    return time.perf_counter() - started


async def _singles(results: Results, name: str, more: Callable[[int], bool]) -> list[float]:
    """Seconds from publishing each photo to its result, one photo after the other, while `more(number)`."""
    took: list[float] = []
    while more(len(took)):
        started = time.perf_counter()
        photo = {"file_id": f"AgAD-{name}-{len(took)}"}
        await (await results.request("photo_upload_inf", f"{name}{len(took)}", {"header": "inf", "photo": photo}))
        took.append(time.perf_counter() - started)
    return took


async def baseline(api: str, concurrency: int) -> float:
    """Photos per second of getFile, download and put alone."""
    s3 = load_user_media_settings().bucket()
    assert s3 is not None
    store, numbers = s3_store(s3), iter(range(BATCHES * BATCH_SIZE))
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for n in numbers:
                url = f"{api}/bot{DEFAULT_CREDENTIALS.telegram}/getFile"
                async with session.post(url, json={"file_id": f"AgAD-plain-{concurrency}-{n}"}) as response:
                    path = (await response.json())["result"]["file_path"]
                async with session.get(f"{api}/file/bot{DEFAULT_CREDENTIALS.telegram}/{path}") as response:
                    data = await response.read()
                await store.put_async(f"plain/{concurrency}/{n}.jpg", data, "image/jpeg")

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return BATCHES * BATCH_SIZE / (time.perf_counter() - started)


def _percentiles(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p50, p95 = (1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.95))
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(ordered)} photos)"


def _cpu(pid: int) -> float:
    """The CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@asynccontextmanager
async def _results(url: str) -> AsyncIterator[Results]:
    client = await nats.connect(url)
    results = Results(client)
    for subject in ("photo_upload_result", "inference_result", "photo_upload_error"):
        await client.subscribe(subject, cb=results.receive)
    yield results
    await client.close()


@contextmanager
def _running() -> Iterator[tuple[str, str, int]]:
    """All servers and the service: the URLs of NATS and of the Bot API, and the service's process id."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_sandbox(Path(name) / "sandbox") as sandbox,
        running_nats(Path(name) / "nats") as server,
        wheel_server(18) as postgres,
    ):
        folder = Path(name)
        (folder / "s3" / PRIVATE_BUCKET).mkdir(parents=True)
        with running_rclone(folder / "s3") as rclone:
            port = _free_port()
            environment = {
                "TELEGRAM_BOT_TOKEN": DEFAULT_CREDENTIALS.telegram, "TELEGRAM_API_URL": sandbox.url,
                "NATS_URL": server.url,
                **private_environment(rclone.url), "STAGING_DB_URL": postgres.new_database(), "LOG_LEVEL": "WARNING",
                "USER_MEDIA_PORT": str(port), "UNDE_HOME": str(folder / "home"),
                "MAX_CONCURRENT_DOWNLOADS": str(CONCURRENCY),
            }  # fmt: skip
            os.environ.update(environment)
            command = [Path(sys.executable).with_name("unde-catalog"), "user-media", "serve"]
            process = subprocess.Popen(command, cwd=folder)
            try:
                _wait_for(f"http://127.0.0.1:{port}/health", process)
                yield server.url, sandbox.url, process.pid
            finally:
                process.terminate()
                process.wait(60)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the service ended with {process.returncode}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def main() -> int:
    """Print the measurements; 1 if a photo failed."""
    with _running() as (url, api, pid):
        asyncio.run(baseline(api, CONCURRENCY))  # lets the sandbox draw its photos
        plain = asyncio.run(baseline(api, CONCURRENCY))
        failed, lines = asyncio.run(measure(url, pid))
    print(f"baseline without the service, {CONCURRENCY} at once: {plain:.0f} photos/s")
    for line in lines:
        print(line)
    print(f"{failed} photos failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
