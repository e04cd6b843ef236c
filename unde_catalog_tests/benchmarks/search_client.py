"""A client of the search API in its own process, so that it takes no time from the measuring one.

Run as `python -m`, it reads JSON with `host`, `port` and `paths` from standard input, prints `ready`, waits for a line,
requests the paths one after the other over one connection, and prints the seconds and the response of each as JSON.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class ClientResults:
    """The results of concurrent clients: the seconds and contents of each response, and the seconds of all."""

    seconds: Sequence[float]
    responses: Sequence[tuple[str, dict[str, Any]]]  # by the path
    took: float


def send_requests(url: str, paths: Sequence[Sequence[str]]) -> ClientResults:
    """Request paths with one client per list, all at the same time."""
    address = urlsplit(url)
    clients = [
        subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in paths
    ]
    for client, client_paths in zip(clients, paths, strict=True):
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(
            json.dumps({"host": address.hostname, "port": address.port, "paths": list(client_paths)}) + "\n"
        )
        client.stdin.flush()
        assert client.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("\n")
        client.stdin.close()
    seconds: list[float] = []
    responses: list[tuple[str, dict[str, Any]]] = []
    ended = began
    for client, client_paths in zip(clients, paths, strict=True):
        assert client.stdout is not None
        output = json.loads(client.stdout.read())
        assert client.wait() == 0
        ended = max(ended, output["ended"])
        seconds += output["seconds"]
        responses += zip(client_paths, map(json.loads, output["answers"]), strict=True)
    return ClientResults(seconds, responses, ended - began)


def main() -> None:
    """Run one client."""
    task = json.loads(sys.stdin.readline())
    connection = http.client.HTTPConnection(task["host"], task["port"], timeout=60)
    connection.connect()
    print("ready", flush=True)
    sys.stdin.readline()
    seconds, responses = [], []
    for path in task["paths"]:
        began = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        seconds.append(time.perf_counter() - began)
        assert response.status == 200, f"{path}: {response.status} {body[:300]!r}"
        responses.append(body.decode())
    ended = time.perf_counter()  # a clock shared by all processes
    json.dump({"seconds": seconds, "answers": responses, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main()
