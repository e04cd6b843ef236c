"""Telegram's Bot API, from which people's photos come: getMe, which is free and says whose the token is."""

import requests

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.text import printable

_SECONDS = (3, 8)  # to connect, and to wait for an answer


def look_at_bot(people: UserMediaSettings) -> Finding:
    """Whether the token is a bot's. The library's errors hold the URL, and so the token: their words are not shown."""
    if people.telegram_bot_token is None:
        return not_configured("people's photos are not fetched", "TELEGRAM_BOT_TOKEN")
    api = str(people.telegram_api_url).rstrip("/")
    url, host = f"{api}/bot{people.telegram_bot_token.get_secret_value()}/getMe", host_of(api)
    session = requests.Session()
    session.trust_env = False  # the service goes by no proxy of the environment either
    try:
        with session.get(url, timeout=_SECONDS, allow_redirects=False) as answer:
            status, said = answer.status_code, _json_object(answer)
    except (requests.RequestException, OSError) as error:
        return red(f"{host} can't be reached: {type(error).__name__}", "TELEGRAM_API_URL")
    me = said.get("result")
    if said.get("ok") is True and isinstance(me, dict):
        return green(f"{host} knows the bot @{printable(str(me.get('username', '')))}")
    if status == 429:
        return yellow(f"{host} asks this bot to wait (429)")
    if status in (401, 403, 404) and said.get("ok") is False:
        return red(f"{host} does not know the token ({status})", "TELEGRAM_BOT_TOKEN")
    return red(f"{host} answers {status}, and not as the Bot API does", "TELEGRAM_API_URL")


def _json_object(answer: requests.Response) -> dict[str, object]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
