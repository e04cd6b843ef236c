#!/opt/unde/bin/python
"""The container's health check: exits with 0 if the process that entrypoint.sh started works, else with 1.

It runs every half minute, so it imports no more than it needs.
"""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

PROCESS_FILE = Path("/tmp/unde-process")
SECONDS = 10
_URLS = {
    "webserver": "http://127.0.0.1:3000/server_info",
    "search": "http://127.0.0.1:8008/api/v1/health",
    "user-media": "http://127.0.0.1:8009/health",
    "sandbox": "http://127.0.0.1:8790/_health",
}
_COMMANDS = {
    "daemon": ["dagster-daemon", "liveness-check"],
}


def main() -> int:
    """Check the process; 0 also for a command that ends by itself, such as migrate or demo."""
    process = PROCESS_FILE.read_text()
    if process in _URLS:
        return _answers(_URLS[process])
    if process == "code":
        return _serves_code()
    if process == "worker":
        return _takes_steps()
    if process in _COMMANDS:
        return subprocess.run(_COMMANDS[process], stdout=subprocess.DEVNULL, check=False).returncode and 1
    return 0


def _answers(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as response:
            print(f"{url}: {response.status}")
    except OSError as error:  # also an answer with an error status
        print(f"{url}: {error}")
        return 1
    return 0


def _serves_code() -> int:
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    with grpc.insecure_channel("127.0.0.1:4000") as channel:
        try:
            response = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=SECONDS)
        except grpc.RpcError as error:
            print(f"the code server: {error.code().name}")  # pyright: ignore[reportAttributeAccessIssue]
            return 1
    print("the code server:", HealthCheckResponse.ServingStatus.Name(response.status))
    return 0 if response.status == HealthCheckResponse.SERVING else 1


def _takes_steps() -> int:
    from celery import Celery

    from unde_catalog.settings.environment import load_settings
    from unde_catalog.stores.queues import broker_url

    # By the name of the host: a container has one worker. Celery answers None while nothing does.
    replies = Celery(broker=broker_url(load_settings())).control.ping(timeout=SECONDS / 2) or []
    names = [name for reply in replies for name in reply]
    print("workers:", ", ".join(names) or "none")
    return 0 if any(name.endswith(f"@{socket.gethostname()}") for name in names) else 1


if __name__ == "__main__":
    sys.exit(main())
