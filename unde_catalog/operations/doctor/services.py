"""All services, in the order in which they are told; how each is asked is in its own file."""

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
    redis,
    shops,
    telegram,
    ximilar,
)
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.run import ServiceCheck
from unde_catalog.settings.environment import Settings
from unde_catalog.settings.user_media import UserMediaSettings


def all_checks(settings: Settings, people: UserMediaSettings, backends: Backends) -> list[ServiceCheck]:
    """A check for every service; Redis only where it is configured, as nothing stands in for it or needs to."""
    shared = Databases(settings, backends)
    tasks = [
        ServiceCheck(f"apify-{brand}", partial(apify.look_at_task, settings, brand), ("APIFY_API_URL",), needs="apify")
        for brand, one in BRANDS.items()
        if one.source_kind == "apify"
    ]
    checks = [
        ServiceCheck("staging-database", partial(databases.look_at_staging, shared), ("STAGING_DB_URL",)),
        ServiceCheck("production-database", partial(databases.look_at_production, shared), ("PRODUCTION_DB_URL",)),
        ServiceCheck("dagster-database", partial(dagster.look_at_database, shared), ("DAGSTER_DB_URL",)),
        ServiceCheck("dagster", partial(dagster.look_at_instance, shared), ("DAGSTER_HOME",), needs="dagster-database"),
        ServiceCheck("object-store", partial(objects.look_at_objects, shared), ("S3_ENDPOINT",)),
        ServiceCheck("apify", partial(apify.look_at_account, settings), ("APIFY_API_URL",)),
        *tasks,
        ServiceCheck("bakai-api", partial(bakai.look_at_api, settings), ("BAKAI_CDN_API_URL",)),
        ServiceCheck("bakai-bucket", partial(bakai.look_at_bucket, settings), ("BAKAI_S3_ENDPOINT",)),
        ServiceCheck("proxy", partial(proxy.look_at_proxy, settings, shared), ("PROXY_URL",)),
        ServiceCheck("ximilar", partial(ximilar.look_at_collection, settings), ("XIMILAR_API_URL",)),
        ServiceCheck("ximilar-credits", partial(ximilar.look_at_credits, shared), (), needs="staging-database"),
        *(
            ServiceCheck(
                f"shops-{brand}", partial(shops.look_at_shops, settings, brand), (f"{brand.upper()}_STOCK_API_URL",)
            )
            for brand, one in BRANDS.items()
            if one.has_stores
        ),
        ServiceCheck("nats", partial(nats.look_at_nats, people), ("NATS_URL",)),
        ServiceCheck("telegram", partial(telegram.look_at_bot, people), ("TELEGRAM_API_URL",)),
        ServiceCheck(
            "private-bucket",
            partial(private_bucket.look_at_private_bucket, people, settings),
            ("S3_ENDPOINT_URL", "S3_BUCKET_NAME"),
        ),
        ServiceCheck(
            "notices", partial(notices.look_at_notices, shared), ("NOTICE_SMTP_URL",), needs="staging-database"
        ),
        ServiceCheck("disk", partial(machine.look_at_disk, settings), ("UNDE_HOME",)),
        ServiceCheck("time-zone", partial(machine.look_at_time_zone, settings), ("SCHEDULE_TIMEZONE",)),
    ]
    if settings.redis_url is not None:
        checks.append(
            ServiceCheck("redis", partial(redis.look_at_redis, settings.redis_url.get_secret_value()), ("REDIS_URL",))
        )
    return checks


def chosen(checks: Sequence[ServiceCheck], names: Sequence[str]) -> list[ServiceCheck]:
    """Those of these names, or whose names begin so (`apify` is all of Apify); all for none. ValueError names them."""
    for name in names:
        if not any(_is(check, name) for check in checks):
            raise ValueError(f"unknown service {name!r}; the services are {', '.join(one.service for one in checks)}")
    return [check for check in checks if not names or any(_is(check, name) for name in names)]


def _is(check: ServiceCheck, name: str) -> bool:
    return check.service == name or check.service.startswith(f"{name}-")
