"""Checks Ximilar with a ping of the collection, which is free, and reports the credits used this month."""

from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.ximilar_index.client import LocalPace, XimilarRefused, XimilarUnavailable
from unde_catalog.stages.ximilar_index.open import open_ximilar
from unde_catalog.stores.db.database import Cursor, DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.stores.staging.index.ximilar_rows import credits_used
from unde_catalog.text import first_line

_SETTINGS = ("XIMILAR_API_TOKEN", "XIMILAR_COLLECTION_ID", "XIMILAR_PREFIX")
_WARNING_SHARE = 0.9  # of the budget


def check_collection(settings: Settings) -> Finding:
    """The token can use the collection at the configured path."""
    token, collection = settings.ximilar_api_token, settings.ximilar_collection_id
    if token is None and collection is None:
        return not_configured("nothing is indexed", "XIMILAR_API_TOKEN", "XIMILAR_COLLECTION_ID")
    if token is None:
        return red("XIMILAR_COLLECTION_ID is set without XIMILAR_API_TOKEN", "XIMILAR_API_TOKEN")
    if collection is None:
        return red("XIMILAR_API_TOKEN is set without XIMILAR_COLLECTION_ID", "XIMILAR_COLLECTION_ID")
    url = str(settings.ximilar_api_url)
    api = open_ximilar(settings, LocalPace(1), tries=1)
    assert api is not None  # both are set
    try:
        api.ping()
    except XimilarRefused as error:
        return red(first_line(error), *(name for name in _SETTINGS if name in str(error)))
    except XimilarUnavailable as error:
        return red(f"{host_of(url)}: {first_line(error)}", "XIMILAR_API_URL")
    return green(f"collection {collection} at {host_of(url)}")


def check_credits(databases: Databases) -> Finding:
    """The credits used this month compared with the budget."""
    settings = databases.settings
    if settings.ximilar_api_token is None:
        return not_configured("no credits are used", "XIMILAR_API_TOKEN")
    if settings.staging_db_url is None and not databases.embedded_exists:
        return not_configured("no credits have been used yet", "STAGING_DB_URL")
    try:
        with databases.staging() as db:
            used = db.run(_used)
    except (EmbeddedPostgresError, DatabaseUnavailable) as error:
        return red(first_line(error), "STAGING_DB_URL")
    budget = settings.ximilar_monthly_credits
    if used is None:
        return yellow("unknown: the table ximilar_credits is missing or not readable: run unde-catalog migrate")
    usage = f"{used:,} of {budget:,} credits used this month"
    return yellow(usage, "XIMILAR_MONTHLY_CREDITS") if used >= _WARNING_SHARE * budget else green(usage)


def _used(cursor: Cursor) -> int | None:
    return credits_used(cursor)[1] if privileges.may_read(cursor, "ximilar_credits") else None
