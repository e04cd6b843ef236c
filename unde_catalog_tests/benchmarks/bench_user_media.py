"""How many photos a second people's photos come in, and how long a single one takes, alone and beside batches of 100.

`python -m` this module, about a minute. Everything is real: NATS, PostgreSQL, an S3 server that checks signatures, and
the service, each a process of its own; Telegram is the sandbox on this machine, so what is measured is our own share.
The baseline does without answers, rows and checks: getFile, download and put, by aiohttp, as many photos at once.
Ends with 1 where a request got no answer, or an answer had a failed photo.
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

from unde_catalog.sandbox.identity import TELEGRAM_TOKEN
from unde_catalog.settings.environment import load_user_media_settings
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog_tests.support.nats_servers import running_nats
from unde_catalog_tests.support.s3_servers import running_rclone
from unde_catalog_tests.support.servers import running_sandbox, wheel_server
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, private_environment

BATCHES, A_BATCH, AT_ONCE, SINGLES = 10, 100, 5, 100
_WITHIN = 300.0  # seconds for all answers of one measurement
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Answers:
    """What came back: each answer by what was asked, and how many photos failed."""

    client: Client
    came: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    failed: int = 0

    async def heard(self, message: Any) -> None:
        """An answer, on any subject."""
        said = json.loads(message.data)
        self.failed += said.get("failed_files") or 0 if "error_code" not in said else 1
        waited_for = self.came.get(said["avatar_id"])
        if waited_for is not None and not waited_for.done():
            waited_for.set_result(said)

    async def ask(self, subject: str, avatar: str, request: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        """Send a request; what is awaited is its answer. Avatars tell the answers apart."""
        self.came[avatar] = asyncio.get_running_loop().create_future()
        body = {"bot_id": 1, "user_id": 2, "avatar_id": avatar, **request}
        await self.client.jetstream().publish(subject, json.dumps(body).encode())
        return asyncio.wait_for(self.came[avatar], _WITHIN)


async def measure(url: str, pid: int) -> tuple[int, list[str]]:
    """The figures as lines, and how many photos failed."""
    async with _answers(url) as answers:
        await _batches(answers, 1, "warm")
        alone = await _singles(answers, "alone", lambda n: n < SINGLES)
        cpu = _cpu(pid)
        seconds = await _batches(answers, BATCHES, "batch")
        cpu = _cpu(pid) - cpu
        running = asyncio.create_task(_batches(answers, BATCHES, "beside"))
        beside = await _singles(answers, "besides", lambda _: not running.done())
        await running
        photos = BATCHES * A_BATCH
        return answers.failed, [
            f"{BATCHES} batches of {A_BATCH}, {AT_ONCE} photos at once: {photos / seconds:.0f} photos/s, "
            f"{1000 * cpu / photos:.1f} ms CPU a photo",
            f"single photos, one after the other: {_percentiles(alone)}",
            f"the same while batches of {A_BATCH} run: {_percentiles(beside)}",
        ]


async def _batches(answers: Answers, count: int, name: str) -> float:
    """Seconds until as many batches, sent at once, are answered."""
    began = time.perf_counter()
    asked = []
    for n in range(count):
        photos = [{"file_id": f"AgAD-{name}-{n}-{photo}"} for photo in range(A_BATCH)]
        asked.append(await answers.ask("photo_upload_train", f"{name}{n}", {"header": "train", "photos": photos}))
    await asyncio.gather(*asked)
    return time.perf_counter() - began


async def _singles(answers: Answers, name: str, more: Callable[[int], bool]) -> list[float]:
    """Seconds from sending each photo to its answer, one photo after the other."""
    took: list[float] = []
    while more(len(took)):
        began = time.perf_counter()
        photo = {"file_id": f"AgAD-{name}-{len(took)}"}
        await (await answers.ask("photo_upload_inf", f"{name}{len(took)}", {"header": "inf", "photo": photo}))
        took.append(time.perf_counter() - began)
    return took


async def baseline(api: str, at_once: int) -> float:
    """Photos a second of nothing but getFile, download and put."""
    s3 = load_user_media_settings().bucket()
    assert s3 is not None
    store, numbers = s3_store(s3), iter(range(BATCHES * A_BATCH))
    async with aiohttp.ClientSession() as session:

        async def hand() -> None:
            for n in numbers:
                url = f"{api}/bot{TELEGRAM_TOKEN}/getFile"
                async with session.post(url, json={"file_id": f"AgAD-plain-{at_once}-{n}"}) as answer:
                    path = (await answer.json())["result"]["file_path"]
                async with session.get(f"{api}/file/bot{TELEGRAM_TOKEN}/{path}") as answer:
                    data = await answer.read()
                await store.put_async(f"plain/{at_once}/{n}.jpg", data, "image/jpeg")

        began = time.perf_counter()
        await asyncio.gather(*(hand() for _ in range(at_once)))
        return BATCHES * A_BATCH / (time.perf_counter() - began)


def _percentiles(seconds: Sequence[float]) -> str:
    placed = sorted(seconds)
    p50, p95 = (1000 * placed[min(int(share * len(placed)), len(placed) - 1)] for share in (0.5, 0.95))
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(placed)} photos)"


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@asynccontextmanager
async def _answers(url: str) -> AsyncIterator[Answers]:
    client = await nats.connect(url)
    answers = Answers(client)
    for subject in ("photo_upload_result", "inference_result", "photo_upload_error"):
        await client.subscribe(subject, cb=answers.heard)
    yield answers
    await client.close()


@contextmanager
def _everything() -> Iterator[tuple[str, str, int]]:
    """All servers and the service: NATS' address, the Bot API's, and the service's process id."""
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
            own = {
                "TELEGRAM_BOT_TOKEN": TELEGRAM_TOKEN, "TELEGRAM_API_URL": sandbox.url, "NATS_URL": server.url,
                **private_environment(rclone.url), "STAGING_DB_URL": postgres.new_database(), "LOG_LEVEL": "WARNING",
                "USER_MEDIA_PORT": str(port), "UNDE_HOME": str(folder / "home"),
                "MAX_CONCURRENT_DOWNLOADS": str(AT_ONCE),
            }  # fmt: skip
            os.environ.update(own)
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
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def main() -> int:
    """Prints the figures; how many photos failed, at most 1."""
    with _everything() as (url, api, pid):
        asyncio.run(baseline(api, AT_ONCE))  # draws the sandbox's pictures
        plain = asyncio.run(baseline(api, AT_ONCE))
        failed, lines = asyncio.run(measure(url, pid))
    print(f"baseline, {AT_ONCE} at once, with nothing around it: {plain:.0f} photos/s")
    for line in lines:
        print(line)
    print(f"{failed} photos failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
