"""A client of the search API as a process of its own, so that it takes no time from the one that measures.

`python -m` this module reads JSON from its standard input: `host`, `port` and `paths`. It says `ready`, waits for
a line, asks for the paths one after the other over one connection, and prints JSON: for each, seconds and the answer.
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
class Asked:
    """What clients that asked at the same time saw: seconds of each answer and what it was, and seconds of all."""

    seconds: Sequence[float]
    answers: Sequence[tuple[str, dict[str, Any]]]  # by the path
    took: float


def ask(url: str, paths: Sequence[Sequence[str]]) -> Asked:
    """Ask for paths with a client for each list of them, all at the same time."""
    place = urlsplit(url)
    clients = [
        subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in paths
    ]
    for client, asked in zip(clients, paths, strict=True):
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(json.dumps({"host": place.hostname, "port": place.port, "paths": list(asked)}) + "\n")
        client.stdin.flush()
        assert client.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("\n")
        client.stdin.close()
    seconds: list[float] = []
    answers: list[tuple[str, dict[str, Any]]] = []
    ended = began
    for client, asked in zip(clients, paths, strict=True):
        assert client.stdout is not None
        said = json.loads(client.stdout.read())
        assert client.wait() == 0
        ended = max(ended, said["ended"])
        seconds += said["seconds"]
        answers += zip(asked, map(json.loads, said["answers"]), strict=True)
    return Asked(seconds, answers, ended - began)


def main() -> None:
    """Be one client."""
    todo = json.loads(sys.stdin.readline())
    connection = http.client.HTTPConnection(todo["host"], todo["port"], timeout=60)
    connection.connect()
    print("ready", flush=True)
    sys.stdin.readline()
    seconds, answers = [], []
    for path in todo["paths"]:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        seconds.append(time.perf_counter() - began)
        assert answer.status == 200, f"{path}: {answer.status} {body[:300]!r}"
        answers.append(body.decode())
    ended = time.perf_counter()  # a clock of the machine, not of the process
    json.dump({"seconds": seconds, "answers": answers, "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main()
