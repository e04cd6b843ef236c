"""Checks Telegram's Bot API with getMe, which is free and returns the bot that the token belongs to."""

import requests

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.text import printable

_SECONDS = (3, 8)  # to connect, and to wait for a response


def check_bot(user_media: UserMediaSettings) -> Finding:
    """The token belongs to a bot. Library errors contain the URL, and so the token: only their class is shown."""
    if user_media.telegram_bot_token is None:
        return not_configured("user photos are not downloaded", "TELEGRAM_BOT_TOKEN")
    api = str(user_media.telegram_api_url).rstrip("/")
    url, host = f"{api}/bot{user_media.telegram_bot_token.get_secret_value()}/getMe", host_of(api)
    session = requests.Session()
    session.trust_env = False  # the service does not use a proxy of the environment either
    try:
        with session.get(url, timeout=_SECONDS, allow_redirects=False) as response:
            status, content = response.status_code, _json_object(response)
    except (requests.RequestException, OSError) as error:
        return red(f"{host} is unreachable: {type(error).__name__}", "TELEGRAM_API_URL")
    bot = content.get("result")
    if content.get("ok") is True and isinstance(bot, dict):
        return green(f"bot @{printable(str(bot.get('username', '')))} at {host}")
    if status == 429:
        return yellow(f"{host} limits the rate of this bot (429)")
    if status in (401, 403, 404) and content.get("ok") is False:
        return red(f"{host} refused the token ({status})", "TELEGRAM_BOT_TOKEN")
    return red(f"{host} returned {status}, which is not a response of the Bot API", "TELEGRAM_API_URL")


def _json_object(response: requests.Response) -> dict[str, object]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
