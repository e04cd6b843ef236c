"""`unde-catalog doctor` with real services: all healthy, then each misconfigured, stopped or silent."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.doctor import (
    Services,
    as_json,
    count_events,
    diagnose,
    healthy_services,
    line_of,
    services_in_state,
    silent_port,
)
from unde_catalog_tests.support.due import add_products
from unde_catalog_tests.support.servers import Server, closed_port

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
_SECRETS = (
    "APIFY_TOKEN", "XIMILAR_API_TOKEN", "S3_ACCESS_KEY", "S3_SECRET_KEY",
    "BAKAI_CDN_ACCESS_KEY", "BAKAI_CDN_SECRET_KEY", "BAKAI_S3_ACCESS_KEY", "BAKAI_S3_SECRET_KEY",
)  # fmt: skip
Doctor = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def services(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with healthy_services(server, tmp_path_factory.mktemp("doctor")) as running:
        yield running


@pytest.fixture
def healthy(
    services: Services, db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """An environment in which every service works."""
    add_products(db, 1, original_image_urls=json.dumps([services.photo_url]))
    monkeypatch.chdir(tmp_path)
    environment = {**services.environment, "STAGING_DB_URL": database_url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def doctor(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "500", **extra}
    return subprocess.run([PROGRAM, "doctor", *arguments], env=environment, capture_output=True, text=True, timeout=60)


def secrets_of(environment: dict[str, str]) -> list[str]:
    """The secrets of an environment: tokens, keys, and the passwords in URLs."""
    found = [environment[name] for name in _SECRETS]
    for url in environment.values():
        found += re.findall(r"://[^/@]*:([^@]+)@", url)
    return found


def test_healthy_services_are_green_and_nothing_is_left_behind(healthy: dict[str, str], services: Services) -> None:
    before = count_events(healthy["DAGSTER_DB_URL"])
    found = diagnose()
    assert services_in_state(found, "red") | services_in_state(found, "yellow") == set(), as_json(found)
    assert found.well and not found.hung
    assert "behind a pooler" in line_of(found, "staging-database").message
    assert "writes for all stages" in line_of(found, "staging-database").message
    assert all(line.milliseconds is not None for line in found.lines)
    assert count_events(healthy["DAGSTER_DB_URL"]) == before
    assert list(Path(services.environment["DAGSTER_HOME"], "..", "s3").rglob("*.txt")) == []


PASSWORD = r"://([^:/]*):[^@]+@", r"://\1:changed-by-someone@"
CHANGES: dict[str, tuple[str, tuple[str, str]]] = {  # variable -> the line that turns red, and how it is changed
    "STAGING_DB_URL": ("staging-database", PASSWORD),
    "PRODUCTION_DB_URL": ("production-database", PASSWORD),
    "DAGSTER_DB_URL": ("dagster-database", PASSWORD),
    "DAGSTER_HOME": ("dagster", (r"$", "/elsewhere")),
    "S3_ACCESS_KEY": ("object-store", (r"^.*", "changed-by-someone")),
    "S3_SECRET_KEY": ("object-store", (r"^.*", "changed-by-someone")),
    "S3_BUCKET": ("object-store", (r"^.*", "another-bucket")),
    "APIFY_TOKEN": ("apify", (r"^.*", "changed-by-someone")),
    "APIFY_TASK_ZARA": ("apify-zara", (r"^.*", "another-task")),
    "PROXY_URL": ("proxy", PASSWORD),
    "XIMILAR_API_TOKEN": ("ximilar", (r"^.*", "changed-by-someone")),
    "XIMILAR_COLLECTION_ID": ("ximilar", (r"^.*", "another-collection")),
    "XIMILAR_PREFIX": ("ximilar", (r"^.*", "/similarity/photos/v2/")),
    "ZARA_USER_AGENT": ("stores-zara", (r"^.*", "Mozilla/5.0")),
    "BAKAI_CDN_ACCESS_KEY": ("bakai-api", (r"^.*", "changed-by-someone")),
    "BAKAI_CDN_SECRET_KEY": ("bakai-api", (r"^.*", "changed-by-someone")),
    "BAKAI_S3_SECRET_KEY": ("bakai-bucket", (r"^.*", "changed-by-someone")),
    "BAKAI_S3_BUCKET": ("bakai-bucket", (r"^.*", "another-bucket")),
    "REDIS_URL": ("redis", PASSWORD),
    "TELEGRAM_BOT_TOKEN": ("telegram", (r":.*", ":changed-by-someone")),
    "S3_SECRET_ACCESS_KEY": ("private-bucket", (r"^.*", "changed-by-someone")),
    "S3_BUCKET_NAME": ("private-bucket", (r"^.*", "another-bucket")),
}


@pytest.mark.parametrize("variable", CHANGES)
def test_a_wrong_setting_turns_only_its_line_red_and_is_named(
    healthy: dict[str, str], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, (pattern, replacement) = CHANGES[variable]
    changed = re.sub(pattern, replacement, healthy.get(variable, ""), count=1)
    assert changed != healthy.get(variable)
    monkeypatch.setenv(variable, changed)
    found = diagnose()
    assert services_in_state(found, "red") == {service}, as_json(found)
    assert variable in line_of(found, service).expected, as_json(found)
    assert all(line_of(found, service).expected.values())
    if "changed-by-someone" in changed:
        assert "changed-by-someone" not in as_json(found)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [("DUBAI_OYSHO_STORES", "1,2", "the store finder does not know 1, 2 of 2 configured stores"),
     ("OYSHO_SHOP_FINDER_URL", "http://127.0.0.1:{port}", "the stock API responds, but ")],
)  # fmt: skip
def test_a_store_finder_without_the_configured_stores_is_yellow(
    healthy: dict[str, str], variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value.format(port=closed_port()))
    found = diagnose()
    assert services_in_state(found, "yellow") == {"stores-oysho"}, as_json(found)
    assert line_of(found, "stores-oysho").message.startswith(message)
    assert variable in line_of(found, "stores-oysho").expected


STOPPED = {  # variable -> the line, and the URL of a stopped service
    "STAGING_DB_URL": ("staging-database", "postgresql://scraper:pass-word@127.0.0.1:{port}/unde_staging"),
    "PRODUCTION_DB_URL": ("production-database", "postgresql://someone:pass-word@127.0.0.1:{port}/unde_main"),
    "DAGSTER_DB_URL": ("dagster-database", "postgresql://dagster:pass-word@127.0.0.1:{port}/dagster"),
    "S3_ENDPOINT": ("object-store", "http://127.0.0.1:{port}"),
    "APIFY_API_URL": ("apify", "http://127.0.0.1:{port}"),
    "PROXY_URL": ("proxy", "http://someone:pass-word@127.0.0.1:{port}"),
    "XIMILAR_API_URL": ("ximilar", "http://127.0.0.1:{port}"),
    "OYSHO_STOCK_API_URL": ("stores-oysho", "http://127.0.0.1:{port}"),
    "BAKAI_CDN_API_URL": ("bakai-api", "http://127.0.0.1:{port}/bakai-api"),
    "BAKAI_S3_ENDPOINT": ("bakai-bucket", "http://127.0.0.1:{port}/bakai-s3"),
    "REDIS_URL": ("redis", "redis://:pass-word@127.0.0.1:{port}/0"),
    "NATS_URL": ("nats", "nats://someone:pass-word@127.0.0.1:{port}"),
    "TELEGRAM_API_URL": ("telegram", "http://127.0.0.1:{port}"),
    "S3_ENDPOINT_URL": ("private-bucket", "http://127.0.0.1:{port}"),
}


@pytest.mark.parametrize("variable", STOPPED)
def test_a_stopped_service_turns_only_its_line_red_and_is_named(
    healthy: dict[str, str], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, address = STOPPED[variable]
    monkeypatch.setenv(variable, address.format(port=closed_port()))
    found = diagnose()
    assert services_in_state(found, "red") == {service}, as_json(found)
    assert variable in line_of(found, service).expected, as_json(found)
    assert "no response within" not in line_of(found, service).message
    assert "pass-word" not in as_json(found)


@pytest.mark.slow
def test_services_that_hang_are_red_and_delay_no_others(
    healthy: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_port() as port:
        for variable, (_, address) in STOPPED.items():
            monkeypatch.setenv(variable, address.format(port=port))
        started = time.monotonic()
        found = diagnose(seconds=5)
        assert time.monotonic() - started < 60
    assert found.hung
    assert services_in_state(found, "red") == {service for service, _ in STOPPED.values()}, as_json(found)
    for variable, (service, _) in STOPPED.items():
        line = line_of(found, service)
        assert (line.message, line.milliseconds) == ("no response within 5 s", 5000), as_json(found)
        assert variable in line.expected
    others = {f"stores-{brand}" for brand, one in BRANDS.items() if one.has_stores and brand != "oysho"}
    assert services_in_state(found, "green") == {"disk", "settings", "time-zone", *others}, as_json(found)


@pytest.mark.slow
def test_the_program_ends_although_a_service_hangs(healthy: dict[str, str]) -> None:
    with silent_port() as port:
        started = time.monotonic()
        done = doctor("--json", S3_ENDPOINT=f"http://127.0.0.1:{port}", REDIS_URL=f"redis://127.0.0.1:{port}")
        took = time.monotonic() - started
    lines = {line["service"]: line for line in json.loads(done.stdout)["services"]}
    assert done.returncode == 1, done.stderr
    assert lines["object-store"]["said"] == "no response within 10 s"
    assert {name for name, line in lines.items() if line["state"] == "red"} == {"object-store", "redis"}
    assert took < 60  # ten, and the start of Python on a busy machine


@pytest.mark.slow
def test_the_program_ends_although_a_librarys_thread_hangs(tmp_path: Path) -> None:
    """Python waits at exit for the threads of an executor, in which asyncio resolves host names."""
    script = """
import functools, threading
from concurrent.futures import ThreadPoolExecutor
from unde_catalog.cli.app import app
from unde_catalog.operations.doctor import run, services
pool = ThreadPoolExecutor()
services.all_checks = lambda *_: [run.ServiceCheck("dns", lambda: pool.submit(threading.Event().wait).result())]
run.run_checks = functools.partial(run.run_checks, seconds=0.1)
app(["doctor"])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    assert "no response within 0.1 s" in done.stdout


@pytest.mark.slow  # three runs of the command
def test_the_command_prints_a_table_and_sets_the_exit_code(healthy: dict[str, str]) -> None:
    done = doctor()
    assert done.returncode == 0, done.stderr
    assert re.search(r"✓\s+apify-zara\s+[\d,]+\s+task zara-dubai", done.stdout), done.stdout
    assert re.search(r"^\d+ green\.$", done.stdout, re.MULTILINE), done.stdout
    done = doctor("--only", "apify", "--only", "disk", APIFY_TASK_OYSHO="", APIFY_TASK_ZARA="unknown-task")
    assert done.returncode == 1
    assert "the account has no task unknown-task" in done.stdout
    assert "set APIFY_TASK_ZARA: the id of the brand's Apify task" in done.stdout
    assert re.search(r"!\s+apify-oysho\s+not configured", done.stdout), done.stdout
    assert "6 green, 1 yellow, 1 red." in done.stdout
    done = doctor("--only", "viber")
    assert done.returncode == 1
    assert "unknown service 'viber'; the services are staging-database" in done.stderr


def test_without_settings_no_line_is_red_and_no_file_is_created(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    done = subprocess.run([PROGRAM, "doctor", "--json"], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["well"]
    states = {line["service"]: line["state"] for line in result["services"]}
    assert set(states.values()) == {"yellow", "green"}
    assert {name for name, state in states.items() if state == "green"} <= {"disk", "settings", "time-zone"}
    for line in result["services"]:
        assert line["state"] == "green" or line["set"], line
        assert "not configured" in line["said"] or line["service"] in ("disk", "settings", "time-zone")
    assert list(tmp_path.iterdir()) == []
