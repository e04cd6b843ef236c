"""The service's log: a JSON object a line, for machines. Who logs what is everybody's own.

Secrets are taken out here once more, whatever a library put into its message or traceback.
"""

import json
import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import urlsplit

from unde_catalog.services.user_media.messages import stamp
from unde_catalog.settings.user_media import UserMediaSettings

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
HIDDEN = "***"


class UserMediaLogFormatter(logging.Formatter):
    """time, level, logger, message; what was given as `extra` (avatar_id, batch_size, file_id, ...); a traceback."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told: dict[str, object] = {
            "time": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        line = json.dumps(told, default=str)
        for secret in self._secrets:
            line = line.replace(json.dumps(secret)[1:-1], HIDDEN)
        return line


def log_as_json(level: str, secrets: Collection[str]) -> None:
    """From here on this process logs so, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(UserMediaLogFormatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("nats", "aiohttp.access", "faststream", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def secrets_of(settings: UserMediaSettings) -> list[str]:
    """What must not be shown of these settings: the bot's token, the bucket's keys, a password of NATS."""
    secrets = [settings.telegram_bot_token, settings.s3_secret_access_key, settings.s3_access_key_id]
    found = [one.get_secret_value() for one in secrets if one is not None]
    servers = settings.nats_url.get_secret_value().split(",")
    return [*found, *(password for one in servers if (password := urlsplit(one.strip()).password))]
