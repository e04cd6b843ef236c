"""Real proxies for tests: proxy.py with a password, also one that re-signs TLS with an authority of its own."""

import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unde_catalog_tests.support.servers import missing

USER, PASSWORD = "brd-customer-hl_1-zone-res-country-ae", "p4ss:w0rd/%21"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a folder of its own, made with openssl."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, name: str = "localhost") -> ssl.SSLContext:
        """What a server of that name speaks TLS with."""
        key, request, signed, more = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        more.write_text(f"subjectAltName=DNS:{name}\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", more, "-out", signed,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed, key)
        return context


def authority(folder: Path) -> Authority:
    """A new one; where openssl is not installed, the test is skipped (see `missing`)."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed: apt-get install openssl, or brew install openssl")
    folder.mkdir()
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
        "-days", "2", "-subj", f"/CN={folder.name}",
    )  # fmt: skip
    return Authority(folder)


@contextmanager
def running_proxy(folder: Path, *, resigns: Authority | None = None, trusts: Authority | None = None) -> Iterator[str]:
    """proxy.py on a free port; its URL with user and password.

    `resigns`: it opens TLS and signs anew with this authority; `trusts`: whose certificates it takes from hosts.
    """
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(port), "--num-acceptors", "1",
        "--num-workers", "1", "--basic-auth", f"{USER}:{PASSWORD}", "--log-level", "w",
        "--data-dir", str(folder / "data"),
    ]  # fmt: skip
    if resigns is not None and trusts is not None:
        _openssl("genrsa", "-out", folder / "signing.key", "2048")
        command += [
            "--ca-key-file", str(resigns.folder / "ca.key"), "--ca-cert-file", str(resigns.certificate),
            "--ca-signing-key-file", str(folder / "signing.key"), "--ca-cert-dir", str(folder / "certificates"),
            "--ca-file", str(trusts.certificate),
        ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        while True:
            assert process.poll() is None, f"the proxy did not start: {(folder / 'log').read_text()}"
            with socket.socket() as there:
                there.settimeout(0.05)
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"http://{USER}:p4ss%3Aw0rd%2F%2521@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
