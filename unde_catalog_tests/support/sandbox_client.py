"""A sandbox process, the Apify client for it, and plain HTTP requests to it."""

import http.client
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apify_client import ApifyClient

from unde_catalog.sandbox.own import environment

ZARA_TASK = "z1psVOTyIKFdU5N9n"


ITEM = {
    "id": 7,
    "name": "A",
    "price": "12,50",
    "odd": None,
    "colorsSizesImagesJSON": [{"xmedia": ["{cdn}/photos/a b.png?ts=1&w={width}"], "sizes": [{"price": 1}]}],
}


@dataclass(slots=True)
class SandboxClient:
    process: subprocess.Popen[str]
    port: int
    state: Path

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request with this exact path. Returns status, headers with names in lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def api(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, Any]:
        """Send an authorized request to the Apify API and parse the response as JSON."""
        all_headers = {"Authorization": "Bearer sandbox-token", **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, response_headers, text = self.request(method, path, body, all_headers)
        return status, response_headers, json.loads(text)

    def client(self) -> ApifyClient:
        return ApifyClient("sandbox-token", api_url=f"http://127.0.0.1:{self.port}", max_retries=0)

    def log(self, kind: str = "") -> list[dict]:
        return json.loads(self.request("GET", f"/_log?kind={kind}" if kind else "/_log")[2])["requests"]


@contextmanager
def sandbox_client(state: Path, *arguments: str) -> Iterator[SandboxClient]:
    command = [sys.executable, "-m", "unde_catalog.sandbox", "--port", "0", "--state-dir", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0], "the sandbox did not report that it is ready"
            line = process.stdout.readline()
            assert line.startswith("sandbox ready at http://127.0.0.1:"), line
            yield SandboxClient(process, int(line.split("127.0.0.1:")[1].split(" ")[0]), state)
        finally:
            process.terminate()
            process.wait(10)


def task_of(brand: str) -> str:
    return environment(1)[f"APIFY_TASK_{brand.upper()}"]
