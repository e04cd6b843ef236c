"""The service for people's photos as a process of a test's own, and somebody who sends requests and reads answers."""

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
PATIENCE = 90.0  # seconds: for a machine that does much else
TAKING = "its streams are there"
ANSWERS = (BATCH_RESULT, INFERENCE_RESULT, ERROR)


@dataclass(frozen=True, slots=True)
class Said:
    """A message in a stream."""

    subject: str
    sequence: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Service:
    """`unde-catalog user-media serve`; `log` are its lines so far."""

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
        """The next line of the log that has all these words."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"it ended ({self.process.wait()}) before it said {words}: {self.raw[-5:]}"
            self.raw.append(line)
            if line.startswith("{"):
                self.log.append(json.loads(line))
                if all(word in line for word in words):
                    return self.log[-1]

    def rest(self) -> str:
        """Everything it said, once it has ended."""
        self.process.wait(PATIENCE)
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.raw.append(line)
        self._lines.put(None)
        return "".join(self.raw)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def page(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def running_service(environment: Mapping[str, str], *arguments: str, program: Sequence[str] = ()) -> Iterator[Service]:
    """A service with these settings beside those of this process; killed if it outlives the block."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
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
            process.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class Media:
    """All that the service needs, on this machine; photos lie in a folder of the test's home."""

    nats: NatsServer
    sandbox: Sandbox
    environment: Mapping[str, str]

    def service(self, *arguments: str, program: Sequence[str] = (), **extra: str) -> AbstractContextManager[Service]:
        """A service; `extra`: further settings."""
        return running_service({**self.environment, **extra}, *arguments, program=program)

    def photos(self) -> dict[str, str]:
        """What is stored: key -> SHA-256."""
        folder = Path(self.environment["UNDE_HOME"]) / "people"
        return {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*")
            if file.is_file() and not file.relative_to(folder).as_posix().startswith(".")  # not what a kill cut short
        }

    def asked(self) -> Counter[str]:
        """How often Telegram was asked for each file id."""
        return Counter(line["file_id"] for line in self.sandbox.log("telegram.getFile"))

    def left(self) -> int:
        """Requests that are not acknowledged."""

        async def work(js: JetStreamContext) -> int:
            return (await js.stream_info(STREAMS[0].name)).state.messages

        return at(self.nats.url, work)


def hashes(found: Sequence[Said]) -> dict[str, str]:
    """What must be stored by what was answered: key -> SHA-256 of what the sandbox sends."""
    stored = {}
    for one in found:
        uploads = one.json.get("successful_uploads") or [one.json["upload_result"]]
        stored |= {one["s3_key"]: hashlib.sha256(content(one["file_id"])).hexdigest() for one in uploads}
    return stored


def at(url: str, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """Do something at a NATS server."""

    async def done() -> T:
        client = await nats.connect(url)
        try:
            return await work(client.jetstream(timeout=PATIENCE))
        finally:
            await client.close()

    return asyncio.run(done())


def send(url: str, subject: str, *bodies: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> None:
    """Send requests, one after the other."""

    async def work(js: JetStreamContext) -> None:
        for body in bodies:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            await js.publish(subject, data, headers=dict(headers or {}))

    at(url, work)


def said(url: str, *subjects: str) -> list[Said]:
    """All that is on these subjects now, in order of each one's stream."""

    async def work(js: JetStreamContext) -> list[Said]:
        found = []
        for subject in subjects:
            stream, sequence = await js.find_stream_name_by_subject(subject), 0
            while True:
                try:
                    one = await js.get_msg(stream, seq=sequence + 1, subject=subject, next=True)
                except NotFoundError:
                    break
                sequence = one.seq or 0
                found.append(Said(subject, sequence, one.data or b"", one.headers or {}))
        return found

    return at(url, work)


def answers(url: str, count: int, *subjects: str) -> list[Said]:
    """The answers on these subjects (all of them), as soon as there are so many."""

    async def work(js: JetStreamContext) -> None:
        """Wait for messages, not for time."""
        seen: asyncio.Queue[object] = asyncio.Queue()
        for subject in subjects or ANSWERS:
            await js.subscribe(subject, ordered_consumer=True, cb=seen.put)
        for _ in range(count):
            await asyncio.wait_for(seen.get(), PATIENCE)

    at(url, work)
    return said(url, *(subjects or ANSWERS))


def dead(url: str) -> list[Said]:
    """What is put aside."""
    return said(url, DEAD)


def train(*file_ids: str, user: int = 67890, **changes: Any) -> dict[str, Any]:
    """A batch as spec 4 writes it."""
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
    """A single photo as spec 4 writes it."""
    photo = {"file_id": file_id, "s3_key": "", "file_size": 1024000}
    return {
        "header": "inf", "photo": photo, "bot_id": 12345, "user_id": user, "avatar_id": "a", "priority": 5, **changes,
    }  # fmt: skip
