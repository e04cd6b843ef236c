"""Apify: who the token belongs to, and whether each brand's task is there. No run is started."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import impit
from apify_client import ApifyClient
from apify_client.errors import ApifyApiError, ApifyClientError

from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.raw_products.apify import is_header_safe
from unde_catalog.text import first_line

_ONE_ANSWER = timedelta(seconds=8)

_T = TypeVar("_T")


def look_at_account(settings: Settings) -> Finding:
    """The account behind the token."""
    if settings.apify_token is None:
        return not_configured("nothing is collected; unde-catalog up brings a sandbox", "APIFY_TOKEN")
    user = _asked(settings, lambda client: client.user("me").get(timeout=_ONE_ANSWER))
    if isinstance(user, Finding):
        return user
    if user is None:
        return red(f"{host_of(str(settings.apify_api_url))} knows no accounts: is it Apify's API?", "APIFY_API_URL")
    return green(f"the account {user.username} at {host_of(str(settings.apify_api_url))}")


def look_at_task(settings: Settings, brand: str) -> Finding:
    """A brand's task."""
    task_id, variable = settings.brands[brand].apify_task, f"APIFY_TASK_{brand.upper()}"
    if task_id is None:
        return not_configured("not collected, the others are", variable)
    if settings.apify_token is None:
        return not_configured("its task can't be asked for without a token", "APIFY_TOKEN")
    task = _asked(settings, lambda client: client.task(task_id).get(timeout=_ONE_ANSWER))
    if isinstance(task, Finding):
        return task
    return red(f"the account has no task {task_id}", variable) if task is None else green(f"the task {task.name}")


def _asked(settings: Settings, call: Callable[[ApifyClient], _T]) -> _T | Finding:
    """What a call gives, or why it failed."""
    assert settings.apify_token is not None  # whoever calls has looked
    token, host = settings.apify_token.get_secret_value(), host_of(str(settings.apify_api_url))
    if not is_header_safe(token):
        return red("the token holds a space, a line break or the like: copy it again", "APIFY_TOKEN")
    client = ApifyClient(token, api_url=str(settings.apify_api_url), max_retries=0)
    try:
        return call(client)
    except ApifyApiError as error:
        said = f"{host} answers {error.status_code} ({first_line(error.type or error.message)})"
        return red(said, "APIFY_TOKEN" if error.status_code in (401, 403) else "APIFY_API_URL")
    except (ApifyClientError, ValueError) as error:  # pydantic's, too
        return red(f"{host} answers something else than Apify ({first_line(error)})", "APIFY_API_URL")
    except (impit.HTTPError, impit.InvalidURL) as error:
        return red(f"{host} can't be reached: {type(error).__name__}, {first_line(error)}", "APIFY_API_URL")
