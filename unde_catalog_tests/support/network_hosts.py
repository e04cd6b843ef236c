"""Hosts of a network on this machine: a network namespace each, on one bridge. Needs root.

What runs on them is in `several_hosts.py`.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BRIDGE, _PREFIX = "unde0", "unde-"
_NETWORK = "10.77.0."  # of no other network than this one

ABSENT = "network namespaces need root and ip: apt-get install iproute2, and run this as root"


def can_have_hosts() -> bool:
    """Whether this machine lets us create network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"{_PREFIX}probe"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode != 0:
        return False
    _ip("netns", "del", probe)
    return True


class Host:
    """A host with an address of its own. Its processes are killed with it."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.name, self.address = name, f"{_NETWORK}{number}"
        self.log = folder / f"{name}.log"
        self._namespace, self._link = f"{_PREFIX}{name}", f"unde{number}"
        self._processes: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", self._namespace)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._namespace)
        _ip("link", "set", self._link, "master", _BRIDGE, "up")
        for command in (f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip("-n", self._namespace, *command.split())

    def start(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        account: Mapping[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start a process on this host, which writes to the host's log. `account`: of `ordinary_user()`."""
        inside = ["nsenter", f"--net=/run/netns/{self._namespace}"]
        if account:
            inside += ["setpriv", f"--reuid={account['user']}", f"--regid={account['group']}", "--clear-groups"]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [*inside, *map(str, command)],
                env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)

    def kill(self) -> None:
        """Kill every process of this host at once, as a power cut does."""
        pids = subprocess.run(["ip", "netns", "pids", self._namespace], capture_output=True, text=True, check=True)
        for pid in map(int, pids.stdout.split()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self._processes:
            process.wait(20)
        self._processes = []

    def cut(self) -> None:
        """Pull its network cable."""
        _ip("link", "set", self._link, "down")

    def reconnect(self) -> None:
        """Plug it in again."""
        _ip("link", "set", self._link, "up")

    def close(self) -> None:
        """Remove the host."""
        self.kill()
        _ip("netns", "del", self._namespace)


class Network:
    """The hosts of a network."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._hosts = folder, list[Host]()

    def host(self, name: str) -> Host:
        """Add a host."""
        host = Host(name, 10 + len(self._hosts), self._folder)
        self._hosts.append(host)
        return host

    def close(self) -> None:
        """Remove all hosts."""
        for host in reversed(self._hosts):
            host.close()


@contextmanager
def running_network(folder: Path) -> Iterator[Network]:
    """A network without hosts; this process reaches them, too. Only one at a time."""
    _ip("link", "add", _BRIDGE, "type", "bridge")
    network = Network(folder)
    try:
        _ip("addr", "add", f"{_NETWORK}1/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        yield network
    finally:
        network.close()
        _ip("link", "del", _BRIDGE)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
