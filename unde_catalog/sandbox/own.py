"""The sandbox that belongs to a state: its port and token, the environment for its clients, and whether it runs.

The port and the token are files in the state's sandbox folder. Clients import this module, so it needs no server.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import secrets
import tempfile
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from unde_catalog.sandbox.identity import (
    BAKAI_BUCKET,
    BRAND_NAMES,
    DEFAULT_CREDENTIALS,
    TASK_IDS,
    XIMILAR_COLLECTION,
    Credentials,
)
from unde_catalog.sandbox.shops.stores import configured_stores, stock_channel

_TIMEOUT = 2.0  # seconds
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the sandbox is on this machine


@dataclass(frozen=True, slots=True)
class OwnSandbox:
    """A state's sandbox, running or not."""

    port: int
    token: str = field(repr=False)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The environment variables that point every client at it."""
        return environment(self.port, credentials=Credentials.of_token(self.token))

    def runs(self) -> bool:
        """Whether it responds, and not another program or the sandbox of another state at its address."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Its process; None if it does not run. What is at its address proves that it knows the token."""
        challenge = secrets.token_hex(16)
        try:
            with _NO_PROXY.open(f"{self.url}/_health?challenge={challenge}", timeout=_TIMEOUT) as response:
                health = json.loads(response.read(10_000))
            is_own = hmac.compare_digest(str(health["proof"]), proof(self.token, challenge))
            return int(health["pid"]) if is_own else None
        except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
            return None


def own_sandbox(folder: Path) -> OwnSandbox | None:
    """The sandbox of the state with this sandbox folder; None if it never had one. `ValueError` if it can't be read."""
    try:
        port, token = (folder / "port").read_text().strip(), (folder / "token").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ValueError(f"{folder}: {error.strerror}; it belongs to the user who created this state") from error
    return OwnSandbox(int(port), token) if port.isdecimal() and token else None


def own_token(folder: Path) -> str:
    """The token of the state with this sandbox folder; the first call creates it, for this user alone."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "token"
    if not file.exists():
        descriptor, unfinished = tempfile.mkstemp(dir=folder, prefix="token-")  # of mode 600
        with os.fdopen(descriptor, "w") as output:
            output.write(secrets.token_hex(16) + "\n")
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(unfinished, file)
        os.unlink(unfinished)
    return file.read_text().strip()


def remember_port(folder: Path, port: int) -> None:
    """Keep the port with the state: the addresses of its photos contain it."""
    unfinished = folder / f"port-{os.getpid()}"
    unfinished.write_text(f"{port}\n")
    unfinished.replace(folder / "port")


def proof(token: str, challenge: str) -> str:
    """What only those can answer to a challenge who know the token."""
    return hmac.new(token.encode(), challenge.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def environment(port: int, host: str = "127.0.0.1", credentials: Credentials = DEFAULT_CREDENTIALS) -> dict[str, str]:
    """Returns the environment variables that point every client at a sandbox on this port."""
    tasks = {f"APIFY_TASK_{brand.upper()}": task for brand, task in TASK_IDS.items()}
    return {
        "APIFY_TOKEN": credentials.apify,
        "APIFY_API_URL": f"http://{host}:{port}",
        **tasks,
        "XIMILAR_API_URL": f"http://{host}:{port}",
        "XIMILAR_API_TOKEN": credentials.ximilar,
        "XIMILAR_COLLECTION_ID": XIMILAR_COLLECTION,  # its prefix is the default one
        "BAKAI_CDN_API_URL": f"http://{host}:{port}/bakai-api",
        "BAKAI_CDN_ACCESS_KEY": credentials.bakai_access,
        "BAKAI_CDN_SECRET_KEY": credentials.bakai_secret,
        "BAKAI_S3_ENDPOINT": f"http://{host}:{port}/bakai-s3",
        "BAKAI_S3_BUCKET": BAKAI_BUCKET,  # publicly readable, so photos need no other base URL
        "BAKAI_S3_ACCESS_KEY": credentials.bakai_s3_access,
        "BAKAI_S3_SECRET_KEY": credentials.bakai_s3_secret,
        "TELEGRAM_API_URL": f"http://{host}:{port}",
        "TELEGRAM_BOT_TOKEN": credentials.telegram,
        "PHOTO_ALLOW_PRIVATE_HOSTS": "true",
        "DOWNLOAD_DELAY_MIN": "0",
        "DOWNLOAD_DELAY_MAX": "0",
        **{f"{brand.upper()}_USE_PROXY": "false" for brand in TASK_IDS},
        "STOCK_REQUEST_GAP": "0",
        **{name: value for brand in BRAND_NAMES for name, value in _stock_environment(brand, port, host).items()},
    }


def _stock_environment(brand: str, port: int, host: str) -> dict[str, str]:
    url, app_name = f"http://{host}:{port}/shops/{brand}", "".join(filter(str.isalnum, BRAND_NAMES[brand]))
    return {
        f"{brand.upper()}_STOCK_API_URL": url,
        f"{brand.upper()}_SHOP_FINDER_URL": url,
        f"{brand.upper()}_STOCK_CHANNEL": str(stock_channel(brand)),
        f"{brand.upper()}_USER_AGENT": f"{app_name}App/15.10.0 (sandbox)",
        f"DUBAI_{brand.upper()}_STORES": ",".join(map(str, configured_stores(brand))),
    }
