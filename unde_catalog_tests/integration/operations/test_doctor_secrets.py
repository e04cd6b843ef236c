"""`unde-catalog doctor` never shows a secret, even if a service repeats it."""

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.redaction import Secrets

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")

PLANTED = {
    "APIFY_TOKEN": "apify-planted-8f3a61",
    "XIMILAR_API_TOKEN": "ximilar-planted-0b72d9",
    "S3_ACCESS_KEY": "access-planted-55aa10",
    "S3_SECRET_KEY": "secret-planted/77+bb=12",
    "BAKAI_CDN_ACCESS_KEY": "bakai-access-planted-31d0",
    "BAKAI_CDN_SECRET_KEY": "bakai-secret-planted-9c4e",
    "BAKAI_S3_ACCESS_KEY": "bakai-s3-planted-77e1",
    "BAKAI_S3_SECRET_KEY": "bakai-s3-secret-planted/4f",
    "STAGING_DB_URL": "pg-one-planted@31c4",
    "PRODUCTION_DB_URL": "pg-two-planted@a09e",
    "DAGSTER_DB_URL": "pg-three-planted@7d1f",
    "PROXY_URL": "proxy-planted:/90ce",
    "REDIS_URL": "redis-planted#44b8",
    "TELEGRAM_BOT_TOKEN": "4096351827:telegram-planted-2b1c",
    "S3_SECRET_ACCESS_KEY": "private-planted/0c+8d=1",
}


@contextmanager
def echoing_server() -> Iterator[int]:
    """A server that repeats everything it receives, in every place of a response that can contain a reason."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if self.connection.recv(2, socket.MSG_PEEK) == b"\0\0":
                self.speak_postgres()
                return
            line, headers = self.rfile.readline(), {}
            if line.startswith(b"*"):  # Redis: AUTH and the next lines
                while not (received := self.rfile.readline()).startswith((b"redis-planted", b"PING")):
                    assert received
                self.wfile.write(b"-WRONGPASS " + received)
                return
            while (header := self.rfile.readline().decode("latin-1").strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            echo = headers.get("authorization", "") + " " + headers.get("proxy-authorization", "")
            echo += " ".join(PLANTED.values())
            body = (
                json.dumps(
                    {"error": {"type": echo, "message": echo}, "status": {"code": 401, "text": echo}, "detail": echo}
                )
                + f"<Error><Code>{echo}</Code><Message>{echo}</Message></Error>"
            )
            body = body if "s3" in headers.get("authorization", "") else body.partition("<Error>")[0]
            head = f"HTTP/1.1 401 {echo}\r\nx-brd-error: {echo}\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write((head + body).encode())

        def speak_postgres(self) -> None:
            while self.rfile.read(8)[4:6] == b"\x04\xd2":  # requests TLS or Kerberos
                self.wfile.write(b"N")
            error = b"SFATAL\0C28P01\0M" + " ".join(PLANTED.values()).encode() + b"\0\0"
            self.wfile.write(b"E" + (len(error) + 4).to_bytes(4, "big") + error)

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


@pytest.mark.parametrize("quoted", [True, False])
def test_no_secret_is_shown_when_a_service_repeats_it(tmp_path: Path, quoted: bool) -> None:
    in_url = {name: quote(secret, safe="") if quoted else secret for name, secret in PLANTED.items()}
    with echoing_server() as port:
        host = f"127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8", "COLUMNS": "2000",
            "APIFY_TOKEN": PLANTED["APIFY_TOKEN"], "APIFY_API_URL": f"http://{host}", "APIFY_TASK_ZARA": "task",
            "XIMILAR_API_TOKEN": PLANTED["XIMILAR_API_TOKEN"], "XIMILAR_COLLECTION_ID": "collection",
            "XIMILAR_API_URL": f"http://{host}",
            "S3_ENDPOINT": f"http://{host}", "S3_ACCESS_KEY": PLANTED["S3_ACCESS_KEY"],
            "S3_SECRET_KEY": PLANTED["S3_SECRET_KEY"],
            **{name: secret for name, secret in PLANTED.items() if name.startswith("BAKAI_")},
            "BAKAI_CDN_API_URL": f"http://{host}", "BAKAI_S3_ENDPOINT": f"http://{host}", "BAKAI_S3_BUCKET": "bakai",
            **{
                name: f"postgresql://worker:{in_url[name]}@{host}/catalogue"
                for name in ("STAGING_DB_URL", "PRODUCTION_DB_URL", "DAGSTER_DB_URL")
            },
            "PROXY_URL": f"http://customer:{in_url['PROXY_URL']}@{host}", "ZARA_PHOTO_HOSTS": "localhost:8000",
            "REDIS_URL": f"redis://:{in_url['REDIS_URL']}@{host}",
            "TELEGRAM_BOT_TOKEN": PLANTED["TELEGRAM_BOT_TOKEN"], "TELEGRAM_API_URL": f"http://{host}",
            "S3_ENDPOINT_URL": f"http://{host}", "S3_ACCESS_KEY_ID": "private-access", "S3_BUCKET_NAME": "private",
            "S3_SECRET_ACCESS_KEY": PLANTED["S3_SECRET_ACCESS_KEY"], "NATS_URL": "nats://u:planted@127.0.0.1:1",
        }  # fmt: skip
        shown = ""
        for arguments in ((), ("--json",)):
            done = subprocess.run(
                [PROGRAM, "doctor", *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
            )
            assert done.returncode == 1, done.stderr
            shown += done.stdout + done.stderr
    assert "Traceback" not in shown
    if quoted:
        assert "***" in shown, "no secret was repeated, so this tests nothing"
    else:
        assert "STAGING_DB_URL: expected" in shown, "addresses that can't be read are refused with their names"
    for name, secret in PLANTED.items():
        basic = b64encode(f"customer:{secret}".encode()).decode()
        for form in (secret, secret[:12], in_url[name], basic, basic[:16], secret.rpartition("@")[2]):
            assert form not in shown, f"{name} shows in:\n{shown}"


def test_a_secret_is_hidden_in_other_encodings_and_when_truncated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "apify_api_0123456789")
    monkeypatch.setenv("PROXY_URL", "http://user:p%40ss/w0rd@host:1")
    monkeypatch.setenv("REDIS_URL", "redis://:abc@host")
    monkeypatch.setenv("OBJECT_BASE_URL", "https://cdn.test/x?signature=5f0c2d")
    hide = Secrets(load_settings()).hide
    assert (
        hide("token apify_api_0123456789 and apify_api_012345, apify_api_docs") == "token *** and ***, apify_api_docs"
    )
    assert hide("p%40ss/w0rd p@ss/w0rd w0rd") == "*** *** ***"
    assert hide(b64encode(b"user:p@ss/w0rd").decode()) == "***"
    assert hide("abc abcd") == "*** abcd"
    assert hide("?signature=5f0c2d") == "?signature=***"
