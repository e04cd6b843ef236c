"""Checks Apify: the account of the token, and the task of each brand. Starts no run."""

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

_TIMEOUT = timedelta(seconds=8)

_T = TypeVar("_T")


def check_account(settings: Settings) -> Finding:
    """The account that the token belongs to."""
    if settings.apify_token is None:
        return not_configured("no products are collected; unde-catalog up starts a sandbox instead", "APIFY_TOKEN")
    user = _call(settings, lambda client: client.user("me").get(timeout=_TIMEOUT))
    if isinstance(user, Finding):
        return user
    host = host_of(str(settings.apify_api_url))
    if user is None:
        return red(f"{host} returned no account: it is probably not Apify's API", "APIFY_API_URL")
    return green(f"account {user.username} at {host}")


def check_task(settings: Settings, brand: str) -> Finding:
    """The task of a brand exists."""
    task_id, variable = settings.brands[brand].apify_task, f"APIFY_TASK_{brand.upper()}"
    if task_id is None:
        return not_configured("this brand is not collected", variable)
    if settings.apify_token is None:
        return not_configured("the task cannot be checked without a token", "APIFY_TOKEN")
    task = _call(settings, lambda client: client.task(task_id).get(timeout=_TIMEOUT))
    if isinstance(task, Finding):
        return task
    return red(f"the account has no task {task_id}", variable) if task is None else green(f"task {task.name}")


def _call(settings: Settings, call: Callable[[ApifyClient], _T]) -> _T | Finding:
    """The result of a call, or why it failed."""
    assert settings.apify_token is not None  # the callers have checked it
    token, host = settings.apify_token.get_secret_value(), host_of(str(settings.apify_api_url))
    if not is_header_safe(token):
        return red("the token contains a space or a line break: copy it again", "APIFY_TOKEN")
    client = ApifyClient(token, api_url=str(settings.apify_api_url), max_retries=0)
    try:
        return call(client)
    except ApifyApiError as error:
        message = f"{host} returned {error.status_code} ({first_line(error.type or error.message)})"
        return red(message, "APIFY_TOKEN" if error.status_code in (401, 403) else "APIFY_API_URL")
    except (ApifyClientError, ValueError) as error:  # pydantic raises a ValueError
        return red(f"the response of {host} is not Apify's ({first_line(error)})", "APIFY_API_URL")
    except (impit.HTTPError, impit.InvalidURL) as error:
        return red(f"{host} is unreachable: {type(error).__name__}, {first_line(error)}", "APIFY_API_URL")
