"""A photo host for benchmarks: nginx on this machine with drawn photos, and a latency for paths below `/late`.

It needs Debian's `nginx-light`, whose echo module can wait. The measurements are in `bench_export.py`.
"""

import asyncio
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

LATENCY = 0.1  # seconds
NGINX_MISSING = "this benchmark needs nginx with its echo module: on Debian, apt-get install nginx-light"
_ECHO = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
_DRAWN = {30: ((600, 800), 80, 14), 600: ((1920, 2880), 87, 40)}  # kilobytes: size, quality, roughness of the cloth
_TEMPLATES = 8

_CONFIG = """
load_module {echo};
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    log_format times "$request_time $msec $status";
    access_log {folder}/log times;
    types {{ image/jpeg jpg; }}
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60;
    keepalive_requests 10000000;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder}/photos;
        location ~ ^/late(/.*)$ {{ echo_sleep {latency}; echo_exec $1; }}
        location /same/ {{ try_files /same.jpg =404; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class PhotoHost:
    """A running host. `url`/late/... responds after `LATENCY`, `url`/same/... with one small photo for any name."""

    url: str
    folder: Path

    def add(self, kilobytes: int, count: int) -> list[str]:
        """Draw different photos of about this size. Returns their paths."""
        folder = self.folder / "photos" / str(kilobytes)
        folder.mkdir()
        drawn = [draw(kilobytes, seed) for seed in range(_TEMPLATES)]
        for n in range(count):
            one, comment = drawn[n % _TEMPLATES], b"photo %d" % n
            head = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment  # a JPEG's comment
            (folder / f"{n}.jpg").write_bytes(one[:2] + head + one[2:])
        return [f"/{kilobytes}/{n}.jpg" for n in range(count)]

    def first_request_at(self, requests: int) -> float:
        """The time of the first of the last `requests`, in seconds since 1970. Raises AssertionError if one failed."""
        lines = [line.split() for line in (self.folder / "log").read_text().splitlines()[-requests:]]
        assert len(lines) == requests and all(status == "200" for _, _, status in lines), "a photo request failed"
        return min(float(ended) - float(took) for took, ended, _ in lines)

    def clear_log(self) -> None:
        """Clear the log."""
        os.truncate(self.folder / "log", 0)  # nginx appends

    def ceiling(self, path: str, concurrency: int, requests: int) -> float:
        """Responses per second to plain sockets that read only the length of a response."""
        return asyncio.run(_request_all(self.url, path, concurrency, requests))


@contextmanager
def photo_host(folder: Path) -> Iterator[PhotoHost]:
    """Run nginx on a free port of 127.0.0.1 with its files in `folder`. Raises RuntimeError if it is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not _ECHO.exists():
        raise RuntimeError(NGINX_MISSING)
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / "same.jpg").write_bytes(_saved(Image.new("RGB", (64, 64), "teal"), 80))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # otherwise its workers could not read the folder
    config.write_text(_CONFIG.format(echo=_ECHO, user=user, folder=folder, port=port, latency=LATENCY))
    process = subprocess.Popen([program, "-p", folder, "-e", folder / "errors", "-c", config])
    try:
        host = PhotoHost(f"http://127.0.0.1:{port}", folder)
        _wait_for(host, process)
        yield host
    finally:
        process.terminate()
        process.wait(20)


def draw(kilobytes: int, seed: int) -> bytes:
    """A plain upright JPEG of about that size: a textured shape on a plain background."""
    (width, height), quality, roughness = _DRAWN[kilobytes]
    image = Image.new("RGB", (width, height), (236, 234, 231 - seed))
    cloth = [Image.effect_noise((width // 8, height // 8), roughness) for _ in range(3)]
    texture = Image.merge("RGB", cloth).resize((width // 2, height * 2 // 3), Image.Resampling.BICUBIC)
    image.paste(texture, (width // 4, height // 6))
    return _saved(image, quality)


def _saved(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _wait_for(host: PhotoHost, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        try:
            urlopen(f"{host.url}/same/1.jpg", timeout=10).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"nginx did not start: {(host.folder / 'errors').read_text()}")


async def _request_all(url: str, path: str, concurrency: int, requests: int) -> float:
    port, remaining = int(url.rsplit(":", 1)[1]), requests
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    async def one() -> None:
        nonlocal remaining
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000_000)
        while remaining > 0:
            remaining -= 1
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(concurrency)))
    return requests / (time.perf_counter() - began)
