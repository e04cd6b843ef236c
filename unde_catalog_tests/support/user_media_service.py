"""The user media service as a child process, and functions that publish requests and read results."""

import asyncio
import hashlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from unde_catalog.sandbox.telegram.photos import content
from unde_catalog.services.user_media.subjects import BATCH_RESULT, DEAD, ERROR, INFERENCE_RESULT, STREAMS
from unde_catalog_tests.support.nats_servers import NatsServer
from unde_catalog_tests.support.servers import PROJECT, Sandbox

T = TypeVar("T")
TIMEOUT = 90.0  # seconds, for a busy machine
READY = "streams declared"
RESULT_SUBJECTS = (BATCH_RESULT, INFERENCE_RESULT, ERROR)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in a stream."""

    subject: str
    sequence: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Service:
    """A running `unde-catalog user-media serve`. `log`: the lines read so far."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.log: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, *words: str) -> dict[str, Any]:
        """The next line of the log that contains all these words."""
        while True:
            line = self._lines.get(timeout=TIMEOUT)
            assert line is not None, f"it ended ({self.process.wait()}) before it logged {words}: {self.raw[-5:]}"
            self.raw.append(line)
            if line.startswith("{"):
                self.log.append(json.loads(line))
                if all(word in line for word in words):
                    return self.log[-1]

    def rest(self) -> str:
        """The whole log, once the process has ended."""
        self.process.wait(TIMEOUT)
        while (line := self._lines.get(timeout=TIMEOUT)) is not None:
            self.raw.append(line)
        self._lines.put(None)
        return "".join(self.raw)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of `/health` or `/metrics`."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=TIMEOUT) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def running_service(environment: Mapping[str, str], *arguments: str, program: Sequence[str] = ()) -> Iterator[Service]:
    """A service with these settings in addition to this process's; killed if it outlives the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code = [*program] or ["-c", "from unde_catalog.cli.app import main; main()"]
    process = subprocess.Popen(
        [sys.executable, *code, "user-media", "serve", *arguments],
        env={**os.environ, **environment, "USER_MEDIA_PORT": str(port)},
        cwd=PROJECT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    service = Service(process, port)
    try:
        yield service
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)


@dataclass(frozen=True, slots=True)
class Media:
    """NATS, the sandbox and the environment for a service; photos are stored in a folder of the test's UNDE_HOME."""

    nats: NatsServer
    sandbox: Sandbox
    environment: Mapping[str, str]

    def service(self, *arguments: str, program: Sequence[str] = (), **extra: str) -> AbstractContextManager[Service]:
        """A running service with `extra` settings."""
        return running_service({**self.environment, **extra}, *arguments, program=program)

    def photos(self) -> dict[str, str]:
        """The stored photos: key -> SHA-256."""
        folder = Path(self.environment["UNDE_HOME"]) / "people"
        return {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*")
            if file.is_file()
            and not file.relative_to(folder).as_posix().startswith(".")  # not what a killed process left behind
        }

    def requested(self) -> Counter[str]:
        """The number of getFile requests for each file id."""
        return Counter(line["file_id"] for line in self.sandbox.log("telegram.getFile"))

    def unacknowledged(self) -> int:
        """The number of requests in their stream."""

        async def work(js: JetStreamContext) -> int:
            return (await js.stream_info(STREAMS[0].name)).state.messages

        return with_jetstream(self.nats.url, work)


def expected_photos(results: Sequence[StoredMessage]) -> dict[str, str]:
    """The photos that these results name: key -> SHA-256 of what the sandbox sends."""
    stored = {}
    for one in results:
        uploads = one.json.get("successful_uploads") or [one.json["upload_result"]]
        stored |= {one["s3_key"]: hashlib.sha256(content(one["file_id"])).hexdigest() for one in uploads}
    return stored


def with_jetstream(url: str, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """Call `work` with a JetStream context of a NATS server."""

    async def run() -> T:
        client = await nats.connect(url)
        try:
            return await work(client.jetstream(timeout=TIMEOUT))
        finally:
            await client.close()

    return asyncio.run(run())


def send(url: str, subject: str, *bodies: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> None:
    """Publish requests, one after the other."""

    async def work(js: JetStreamContext) -> None:
        for body in bodies:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            await js.publish(subject, data, headers=dict(headers or {}))

    with_jetstream(url, work)


def published(url: str, *subjects: str) -> list[StoredMessage]:
    """The messages on these subjects, in the order of each stream."""

    async def work(js: JetStreamContext) -> list[StoredMessage]:
        found = []
        for subject in subjects:
            stream, sequence = await js.find_stream_name_by_subject(subject), 0
            while True:
                try:
                    one = await js.get_msg(stream, seq=sequence + 1, subject=subject, next=True)
                except NotFoundError:
                    break
                sequence = one.seq or 0
                found.append(StoredMessage(subject, sequence, one.data or b"", one.headers or {}))
        return found

    return with_jetstream(url, work)


def wait_for_results(url: str, count: int, *subjects: str) -> list[StoredMessage]:
    """The results on these subjects (default: all), as soon as there are `count` of them."""

    async def work(js: JetStreamContext) -> None:
        """Wait until `count` messages have arrived."""
        seen: asyncio.Queue[object] = asyncio.Queue()
        for subject in subjects or RESULT_SUBJECTS:
            await js.subscribe(subject, ordered_consumer=True, cb=seen.put)
        for _ in range(count):
            await asyncio.wait_for(seen.get(), TIMEOUT)

    with_jetstream(url, work)
    return published(url, *(subjects or RESULT_SUBJECTS))


def dead_letters(url: str) -> list[StoredMessage]:
    """The messages on the dead-letter subject."""
    return published(url, DEAD)


def train(*file_ids: str, user: int = 67890, **changes: Any) -> dict[str, Any]:
    """A batch in the format of `docs/reference/messages.md`."""
    photos = [
        {
            "file_id": one,
            "properties": {
                "s3_key": "", "file_size": 1024000, "width": 1920, "height": 1280, "face_diagoanl": 360,
                "bboxs": "...", "num_face": 1,
            },
            "status": "ok",
        }
        for one in file_ids
    ]  # fmt: skip
    return {
        "header": "train", "photos": photos, "bot_id": 12345, "user_id": user, "avatar_id": "avatar_abc123",
        "batch_id": "batch_xyz789", "priority": 5, **changes,
    }  # fmt: skip


def single(file_id: str, user: int = 67890, **changes: Any) -> dict[str, Any]:
    """A single photo in the format of `docs/reference/messages.md`."""
    photo = {"file_id": file_id, "s3_key": "", "file_size": 1024000}
    return {
        "header": "inf", "photo": photo, "bot_id": 12345, "user_id": user, "avatar_id": "a", "priority": 5, **changes,
    }  # fmt: skip
