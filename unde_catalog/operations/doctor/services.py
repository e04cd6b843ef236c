"""The list of all checks, in the order of the output. Each service's module knows how to check it."""

from collections.abc import Sequence
from functools import partial

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.doctor import (
    apify,
    bakai,
    dagster,
    databases,
    machine,
    nats,
    notices,
    objects,
    private_bucket,
    proxy,
    queues,
    redis,
    sandbox,
    stores,
    telegram,
    ximilar,
)
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.run import ServiceCheck
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.stores.embedded.nats import address as own_nats


def all_checks(settings: Settings, user_media: UserMediaSettings, backends: Backends) -> list[ServiceCheck]:
    """A check for every service. Redis is included only if it is configured, because it is optional."""
    shared = Databases(settings, backends)
    own = settings.sandbox
    on_sandbox = "sandbox" if own is not None else None
    tasks = [
        ServiceCheck(
            f"apify-{brand}",
            partial(apify.check_task, settings, brand),
            ("APIFY_API_URL",),
            needs=on_sandbox or "apify",
        )
        for brand, one in BRANDS.items()
        if one.source_kind == "apify"
    ]
    checks = [
        ServiceCheck("staging-database", partial(databases.check_staging, shared), ("STAGING_DB_URL",)),
        ServiceCheck("production-database", partial(databases.check_production, shared), ("PRODUCTION_DB_URL",)),
        ServiceCheck(
            "database-sessions",
            partial(databases.check_sessions, shared),
            ("STAGING_DB_URL",),
            needs="staging-database",
        ),
        ServiceCheck("dagster-database", partial(dagster.check_database, shared), ("DAGSTER_DB_URL",)),
        ServiceCheck("dagster", partial(dagster.check_instance, shared), ("DAGSTER_HOME",), needs="dagster-database"),
        ServiceCheck("object-store", partial(objects.check_objects, shared), ("S3_ENDPOINT",)),
        *([ServiceCheck("sandbox", partial(sandbox.check_sandbox, own))] if own is not None else []),
        ServiceCheck("apify", partial(apify.check_account, settings), ("APIFY_API_URL",), needs=on_sandbox),
        *tasks,
        ServiceCheck("bakai-api", partial(bakai.check_api, settings), ("BAKAI_CDN_API_URL",), needs=on_sandbox),
        ServiceCheck("bakai-bucket", partial(bakai.check_bucket, settings), ("BAKAI_S3_ENDPOINT",), needs=on_sandbox),
        ServiceCheck("proxy", partial(proxy.check_proxy, settings, shared), ("PROXY_URL",)),
        ServiceCheck("ximilar", partial(ximilar.check_collection, settings), ("XIMILAR_API_URL",), needs=on_sandbox),
        ServiceCheck("ximilar-credits", partial(ximilar.check_credits, shared), (), needs="staging-database"),
        *(
            ServiceCheck(
                f"stores-{brand}",
                partial(stores.check_stores, settings, brand),
                (f"{brand.upper()}_STOCK_API_URL",),
                needs=on_sandbox,
            )
            for brand, one in BRANDS.items()
            if one.has_stores
        ),
        ServiceCheck("nats", partial(nats.check_nats, user_media, own_nats(settings.home)), ("NATS_URL",)),
        ServiceCheck("telegram", partial(telegram.check_bot, user_media), ("TELEGRAM_API_URL",), needs=on_sandbox),
        ServiceCheck(
            "private-bucket",
            partial(private_bucket.check_private_bucket, user_media, settings),
            ("S3_ENDPOINT_URL", "S3_BUCKET_NAME"),
        ),
        ServiceCheck("notices", partial(notices.check_alerts, shared), ("NOTICE_SMTP_URL",), needs="staging-database"),
        ServiceCheck("settings", machine.check_names),
        ServiceCheck("disk", partial(machine.check_disk, settings), ("UNDE_HOME",)),
        ServiceCheck("time-zone", partial(machine.check_time_zone, settings), ("SCHEDULE_TIMEZONE",)),
    ]
    if settings.redis_url is not None:
        checks.append(
            ServiceCheck("redis", partial(redis.check_redis, settings.redis_url.get_secret_value()), ("REDIS_URL",))
        )
    if settings.executor == "celery":
        checks.append(ServiceCheck("queues", partial(queues.check_queues, settings), ("REDIS_URL",), needs="redis"))
    return checks


def select_checks(checks: Sequence[ServiceCheck], names: Sequence[str]) -> list[ServiceCheck]:
    """The checks with these names, or of these kinds (`apify` is all of Apify); all without names.

    ValueError for an unknown name lists the services.
    """
    for name in names:
        if not any(_matches(check, name) for check in checks):
            raise ValueError(f"unknown service {name!r}; the services are {', '.join(one.service for one in checks)}")
    return [check for check in checks if not names or any(_matches(check, name) for name in names)]


def _matches(check: ServiceCheck, name: str) -> bool:
    return check.service == name or check.service.startswith(f"{name}-")
