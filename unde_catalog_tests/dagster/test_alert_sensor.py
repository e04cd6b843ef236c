"""Alerts about real runs: the sensor reads what failed on an instance and sends it to a webhook."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from unde_catalog.defs.automation import run_ends
from unde_catalog.defs.automation.alert_sensor import alert_sensor
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.operations.alerts.fallback import SensorState
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.receivers import WebhookReceiver, webhook_receiver
from unde_catalog_tests.support.servers import Server, closed_port

pytestmark = pytest.mark.slow

ALL = ["bershka", "massimodutti", "oysho", "pullandbear", "stradivarius", "zara"]
PROXY_REFUSES = "originals of {brand} stopped: the proxy refuses our credentials (407): check PROXY_URL"


class AlertSensor:
    """The sensor: `tick` evaluates it this many minutes from now and keeps its cursor, as Dagster does."""

    def __init__(self, instance: dg.DagsterInstance, receiver: WebhookReceiver, server: Server, url: str) -> None:
        self.instance, self.receiver, self._server, self._url = instance, receiver, server, url
        self.cursor: str | None = None

    def tick(self, minutes: float = 0) -> str:
        moment = datetime.now(UTC) + timedelta(minutes=minutes)
        self._server.set_now(self._url, moment.isoformat())
        resources = {"backends": BackendsResource(load_settings())}
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=resources)
        result: Any = alert_sensor(dg.DefaultSensorStatus.RUNNING)(context)
        assert not result.run_requests
        self.cursor = result.cursor
        return result.skip_reason.skip_message

    def run(self, message: str | None, *brands: str, check: dg.AssetCheckResult | None = None, **tags: str) -> None:
        """Run `originals` of these brands. It fails with `message`; `check` is the result of its check."""

        @dg.asset(partitions_def=BRAND_PARTITIONS)
        def originals(context: dg.AssetExecutionContext) -> None:
            if message is not None:
                raise dg.Failure(message.format(brand=context.partition_key), allow_retries=False)

        @dg.asset_check(asset="originals")
        def sharp() -> dg.AssetCheckResult:
            return check or dg.AssetCheckResult(passed=True)

        job = dg.Definitions(assets=[originals], asset_checks=[sharp]).resolve_implicit_global_asset_job_def()
        for brand in brands:
            job.execute_in_process(partition_key=brand, instance=self.instance, raise_on_error=False, tags=tags)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    with webhook_receiver() as running:
        monkeypatch.setenv("NOTICE_WEBHOOK_URL", running.url)
        monkeypatch.setenv("DAGSTER_UI_URL", "http://ui.test:3000")
        yield running


@pytest.fixture
def sensor(
    receiver: WebhookReceiver,
    instance: dg.DagsterInstance,
    server: Server,
    db: Database,
    database_url: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> AlertSensor:
    """A sensor whose first tick was before anything failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    created = AlertSensor(instance, receiver, server, database_url)
    assert created.tick() == "Alerts start with the next run."
    return created


def test_six_brands_that_fail_for_one_reason_are_one_alert(sensor: AlertSensor) -> None:
    sensor.run(PROXY_REFUSES, *ALL[:3])
    assert sensor.tick() == "0 alerts written, 1 incident open; 0 sent"
    sensor.run(PROXY_REFUSES, *ALL[3:])
    assert sensor.tick(3) == "1 alert written, 1 incident open; 1 sent"
    (alert,) = sensor.receiver.messages()
    assert (alert["what"], alert["stage"], alert["count"], alert["brands"]) == ("first", "originals", 6, ALL)
    assert "the proxy refuses our credentials (407): check PROXY_URL" in alert["text"]
    last = sensor.instance.get_runs(limit=1)[0].run_id
    assert alert["link"] == f"http://ui.test:3000/runs/{last}" and alert["link"] in alert["text"]
    sensor.run(PROXY_REFUSES, *ALL)
    assert sensor.tick(60).endswith("; 0 sent")
    sensor.run(None, *ALL[1:])
    assert sensor.tick(130).endswith("; 0 sent")
    sensor.run(None, ALL[0])
    assert sensor.tick(140).endswith("0 incidents open; 1 sent")
    over = sensor.receiver.messages()[1]
    assert (over["what"], over["count"], over["causes"][0]["over"]) == ("over", 12, True)
    assert over["text"].startswith("originals works again after 2 hours: 12 failed runs of bershka, massimodutti")
    assert sensor.tick(150).endswith("; 0 sent")


def test_a_flood_of_run_ends_is_one_alert_after_one_tick(sensor: AlertSensor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"IN_DETAIL": 5, "_PAGE": 3}.items():
        monkeypatch.setattr(run_ends, name, value)
    for _ in range(3):
        sensor.run(PROXY_REFUSES, *ALL[:3])
        sensor.run("the disk is full", ALL[3])
    sensor.run(None, ALL[4])
    assert (
        sensor.tick(3)
        == "2 alerts written, 2 incidents open; 8 runs of many counted without reading their events; 2 sent"
    )
    alerts = {alert["reason"]: (alert["count"], alert["brands"]) for alert in sensor.receiver.messages()}
    assert alerts == {
        "originals of bershka stopped: the proxy refuses our credentials (407): check PROXY_URL": (9, ALL[:3]),
        "the disk is full": (3, [ALL[3]]),
    }
    sensor.run(None, *ALL[:4])
    assert "0 incidents open; " in sensor.tick(5)


def test_a_lasting_failure_is_repeated_once_a_day(sensor: AlertSensor) -> None:
    sensor.run(PROXY_REFUSES, "zara")
    sensor.tick()
    sensor.tick(3)
    sensor.run(PROXY_REFUSES, "zara")
    assert sensor.tick(23 * 60).endswith("; 0 sent")
    assert sensor.tick(25 * 60).endswith("; 1 sent")
    assert sensor.tick(26 * 60).endswith("; 0 sent")
    assert [one["what"] for one in sensor.receiver.messages()] == ["first", "reminder"]


def test_a_lost_cursor_sends_no_alert_twice(sensor: AlertSensor) -> None:
    before = sensor.cursor
    sensor.run(PROXY_REFUSES, "zara")
    sensor.tick()
    sensor.cursor = before  # the daemon died before it stored the cursor
    sensor.tick(3)
    sensor.cursor = before
    sensor.tick(4)
    (alert,) = sensor.receiver.messages()
    assert alert["count"] == 1


def test_failures_before_alerts_were_configured_are_not_sent(
    sensor: AlertSensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTICE_WEBHOOK_URL")
    sensor.run(PROXY_REFUSES, "zara")
    assert "Not configured: set NOTICE_WEBHOOK_URL" in sensor.tick()
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", sensor.receiver.url)
    assert sensor.tick(3).startswith("0 alerts written, 0 incidents open")
    sensor.cursor = replace(SensorState.of(sensor.cursor), after=10**9).as_text()  # of another database of Dagster's
    sensor.tick(4)
    sensor.run(PROXY_REFUSES, "oysho")
    sensor.tick(5)
    sensor.tick(8)
    assert [one["brand"] for one in sensor.receiver.messages()] == ["oysho"]


def test_the_sensor_takes_over_the_cursor_of_its_former_name(
    sensor: AlertSensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sensor.cursor = sensor.cursor, None
    former = SimpleNamespace(instigator_name="notices", instigator_data=SimpleNamespace(cursor=before))
    monkeypatch.setattr(type(sensor.instance), "all_instigator_state", lambda self: [former])
    sensor.run(PROXY_REFUSES, "zara")
    sensor.tick()
    assert sensor.tick(3) == "1 alert written, 1 incident open; 1 sent"


def test_a_success_resolves_what_failed_under_a_former_name(sensor: AlertSensor, db: Database) -> None:
    sensor.run(PROXY_REFUSES, "zara")
    sensor.tick()
    assert sensor.tick(3) == "1 alert written, 1 incident open; 1 sent"
    execute(db, "UPDATE notice_causes SET stage = 'house'")

    @dg.op
    def check_system() -> None: ...

    @dg.job
    def job() -> None:
        check_system()

    job.execute_in_process(instance=sensor.instance, tags={"brand": "zara"})
    assert sensor.tick(4) == "1 alert written, 0 incidents open; 1 sent"


def test_a_failed_check_is_sent_at_once_and_a_warning_in_the_digest(sensor: AlertSensor) -> None:
    error = dg.AssetCheckResult(passed=False, description="2 of 9 photos are blurred: look at them")
    warning = dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="8 of 9 photos are sharp"
    )
    sensor.run(None, "zara", check=error)
    sensor.run(None, "oysho", check=warning)
    sensor.tick()
    assert sensor.tick(3).endswith("1 alert written, 2 incidents open; 1 sent")
    alert = sensor.receiver.messages()[0]
    assert (alert["kind"], alert["stage"], alert["check"], alert["brand"]) == ("check", "originals", "sharp", "zara")
    assert alert["text"].startswith("check sharp of originals is failing: 1 run of zara\n2 of 9 photos are blurred")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=8, minute=1)
    until = (tomorrow - datetime.now(UTC)) / timedelta(minutes=1)
    assert sensor.tick(until - 5).endswith("; 0 sent")
    assert sensor.tick(until).endswith("; 1 sent")
    assert sensor.tick(until + 5).endswith("; 0 sent")
    morning = sensor.receiver.messages()[1]
    assert (morning["what"], morning["brand"]) == ("digest", "oysho")
    assert morning["text"].startswith("Daily digest: 1 warning\n") and "8 of 9 photos are sharp" in morning["text"]
    sensor.run(None, "zara", "oysho")
    assert sensor.tick(until + 6).endswith("0 incidents open; 1 sent")  # of the error; a warning just ends
    assert sensor.receiver.messages()[2]["text"].startswith("check sharp of originals works again")


def test_messages_of_runs_are_sanitized_and_contain_no_secret(
    sensor: AlertSensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {
        "APIFY_TOKEN": "apify-planted-8f3a61", "XIMILAR_API_TOKEN": "ximilar-planted-0b72d9",
        "PROXY_URL": "http://customer:proxy-planted@127.0.0.1:1", "NOTICE_WEBHOOK_SECRET": "signing-planted-77bb12",
    }  # fmt: skip
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    hostile = (
        "<!channel> @all <script>\x00</script>\r\nX-Evil: 1 " + " ".join(planted.values())
        + f" {load_settings().staging_db_url.get_secret_value()} {sensor.receiver.url} "  # type: ignore[union-attr]
        + "https://somebody:of-nobodys-settings@host.test " + "long " * 2_000
    )  # fmt: skip
    sensor.run(hostile.replace("{", "").replace("}", ""), "zara")
    sensor.tick()
    assert sensor.tick(3).endswith("; 1 sent")
    (posted,) = sensor.receiver.posted
    arrived = posted.body.decode() + json.dumps(posted.headers)
    for secret in ("planted", "not-a-secret", "of-nobodys-settings"):
        assert secret not in arrived.replace(posted.path, ""), arrived
    assert "***" in arrived
    assert "<" not in posted.json["text"] and "@all" not in posted.json["text"] and "\r" not in posted.json["text"]
    assert len(posted.body) < 10_000
    assert "planted" not in json.dumps(execute_all(sensor))


def execute_all(sensor: AlertSensor) -> list[Any]:
    """All stored rows about alerts."""
    with Database(load_settings().staging_db_url.get_secret_value()) as db:  # type: ignore[union-attr]
        rows = execute(db, "SELECT * FROM notice_causes") + execute(db, "SELECT * FROM notices")
    return [[str(value) for value in row.values()] for row in rows]


def test_an_outage_of_staging_is_one_alert_and_failures_follow(
    sensor: AlertSensor, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", f"postgresql://scraper:pass-planted@127.0.0.1:{closed_port()}/unde_staging")
    sensor.run("originals of {brand} could not start: the database is away", "zara", "oysho")
    assert "can't be used" in sensor.tick() and sensor.receiver.posted == []  # a restart needs no alert
    memory = SensorState.of(sensor.cursor)
    assert memory.down_since is not None
    sensor.cursor = replace(memory, down_since=memory.down_since - timedelta(minutes=5)).as_text()
    assert sensor.tick().endswith("; 1 sent")
    assert sensor.tick().endswith("; 0 sent")
    (alert,) = sensor.receiver.messages()
    assert alert["what"] == "unwritten" and "planted" not in json.dumps(alert)
    assert "2 runs failed meanwhile: originals (oysho, zara)." in alert["text"]
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    sensor.tick()
    sensor.tick(3)
    assert [one["what"] for one in sensor.receiver.messages()] == ["unwritten", "over", "first"]
    assert sensor.receiver.messages()[2]["brands"] == ["oysho", "zara"]


def test_a_dead_run_worker_is_an_alert_unless_the_run_is_retried(sensor: AlertSensor) -> None:
    @dg.asset
    def collages() -> None: ...

    job = dg.Definitions(assets=[collages]).resolve_implicit_global_asset_job_def()
    for again, brand in ((True, "zara"), (False, "oysho")):
        run = sensor.instance.create_run_for_job(
            job,
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": brand, "stage": "collages", "dagster/will_retry": str(again).lower()},
        )
        sensor.instance.report_run_failed(run, message="Run worker process 4711 is gone")
    sensor.tick()
    sensor.tick(3)
    (alert,) = sensor.receiver.messages()
    assert (alert["stage"], alert["brand"], alert["reason"]) == ("collages", "oysho", "Run worker process 4711 is gone")


def test_a_failed_stage_is_reported_by_its_own_message(
    sensor: AlertSensor, materialize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "wrong-planted-token")
    for brand in ("zara", "oysho"):
        assert not materialize("raw_products", brand=brand).success
    sensor.tick()
    sensor.tick(3)
    alerts = [one for one in sensor.receiver.messages() if one["kind"] == "run"]
    assert [(one["stage"], one["brands"]) for one in alerts] == [("raw_products", ["oysho", "zara"])]
    assert "raw_products of " in alerts[0]["reason"] and "Apify responded 401" in alerts[0]["reason"]
    assert "planted" not in json.dumps(sensor.receiver.messages())
