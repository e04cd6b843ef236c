"""The service, killed (SIGKILL) at each step of its work in turn: `python -m` this module with the command's arguments.

The steps are those between which an answer or a photo could be lost. As soon as it is dead, one that dies at the next
step begins: a fork, which spares it the imports. It ends with 0 when all have died so.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from faststream.nats.message import NatsMessage

from unde_catalog.cli.app import main
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.connection import Connection
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.server import serve  # noqa: F401  imported before the forks
from unde_catalog.services.user_media.telegram import Telegram

# step -> what is awaited there, and whether the kill comes before it or after it is done
STEPS: dict[str, tuple[type[Any], str, bool]] = {
    "before a download": (Telegram, "fetch", False),
    "after a download": (Telegram, "fetch", True),
    "after a photo is stored": (PrivateBucket, "put", True),
    "after its row is written": (Records, "photo_stored", True),
    "before the answer is written down": (Records, "settle", False),
    "after the answer is written down": (Records, "settle", True),
    "after the answer is published": (Connection, "publish", True),
    "before the acknowledgement": (NatsMessage, "ack_sync", False),
    "after the acknowledgement": (NatsMessage, "ack_sync", True),
}


def die_at(step: str) -> None:
    """From here on this process dies there."""
    owner, name, after = STEPS[step]
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(original)
    async def dying(*args: Any, **kwargs: Any) -> Any:
        if after:
            await original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def run() -> int:
    """A service for each step, one after the other; the number of those that did not die by SIGKILL."""
    survived = 0
    for step in STEPS:
        child = os.fork()
        if child == 0:
            die_at(step)
            main()
            os._exit(0)
        survived += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL
    return survived


if __name__ == "__main__":
    sys.exit(run())
