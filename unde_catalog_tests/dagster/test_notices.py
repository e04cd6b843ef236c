"""Notices from real runs: what fails on an instance is read by the sensor and arrives at a webhook."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from unde_catalog.defs.automation.alert_sensor import alert_sensor
from unde_catalog.defs.partitions import BRAND_PARTITIONS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.operations.alerts.fallback import SensorState
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.doctor import closed_port
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.receivers import WebhookReceiver, webhook_receiver
from unde_catalog_tests.support.servers import Server

ALL = ["bershka", "massimodutti", "oysho", "pullandbear", "stradivarius", "zara"]
PROXY_SAYS_NO = "originals of {brand} stopped: the proxy refuses our credentials (407): check PROXY_URL"


class Desk:
    """The sensor at work: `tick` evaluates it so many minutes from now, and remembers its cursor as Dagster does."""

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

    def run(self, says: str | None, *brands: str, check: dg.AssetCheckResult | None = None, **tags: str) -> None:
        """Run `originals` of these brands; it fails with this sentence, and its check says what is given."""

        @dg.asset(partitions_def=BRAND_PARTITIONS)
        def originals(context: dg.AssetExecutionContext) -> None:
            if says is not None:
                raise dg.Failure(says.format(brand=context.partition_key), allow_retries=False)

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
def desk(
    receiver: WebhookReceiver,
    instance: dg.DagsterInstance,
    server: Server,
    db: Database,
    database_url: str,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:
    """A desk that has been listening since before anything failed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    made = Desk(instance, receiver, server, database_url)
    assert made.tick() == "Alerts start with the next run."
    return made


def test_six_brands_that_fail_for_one_reason_are_one_notice_and_one_when_it_is_over(desk: Desk) -> None:
    desk.run(PROXY_SAYS_NO, *ALL[:3])
    assert desk.tick() == "0 alerts written, 1 incidents open; 0 sent"
    desk.run(PROXY_SAYS_NO, *ALL[3:])
    assert desk.tick(3) == "1 alerts written, 1 incidents open; 1 sent"
    (told,) = desk.receiver.messages()
    assert (told["what"], told["stage"], told["count"], told["brands"]) == ("first", "originals", 6, ALL)
    assert "the proxy refuses our credentials (407): check PROXY_URL" in told["text"]
    last = desk.instance.get_runs(limit=1)[0].run_id
    assert told["link"] == f"http://ui.test:3000/runs/{last}" and told["link"] in told["text"]
    desk.run(PROXY_SAYS_NO, *ALL)
    assert desk.tick(60).endswith("; 0 sent")
    desk.run(None, *ALL[1:])
    assert desk.tick(130).endswith("; 0 sent")
    desk.run(None, ALL[0])
    assert desk.tick(140).endswith("0 incidents open; 1 sent")
    over = desk.receiver.messages()[1]
    assert (over["what"], over["count"], over["causes"][0]["over"]) == ("over", 12, True)
    assert over["text"].startswith("originals works again after 2 hours: 12 failed runs of bershka, massimodutti")
    assert desk.tick(150).endswith("; 0 sent")


def test_what_fails_again_before_anything_works_is_reminded_of_once_a_day(desk: Desk) -> None:
    desk.run(PROXY_SAYS_NO, "zara")
    desk.tick()
    desk.tick(3)
    desk.run(PROXY_SAYS_NO, "zara")
    assert desk.tick(23 * 60).endswith("; 0 sent")
    assert desk.tick(25 * 60).endswith("; 1 sent")
    assert desk.tick(26 * 60).endswith("; 0 sent")
    assert [one["what"] for one in desk.receiver.messages()] == ["first", "reminder"]


def test_a_cursor_that_was_not_kept_sends_nothing_twice(desk: Desk) -> None:
    before = desk.cursor
    desk.run(PROXY_SAYS_NO, "zara")
    desk.tick()
    desk.cursor = before  # the daemon died before it wrote it down
    desk.tick(3)
    desk.cursor = before
    desk.tick(4)
    (told,) = desk.receiver.messages()
    assert told["count"] == 1


def test_what_failed_before_anybody_listened_is_told_to_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTICE_WEBHOOK_URL")
    desk.run(PROXY_SAYS_NO, "zara")
    assert "Not configured: set NOTICE_WEBHOOK_URL" in desk.tick()
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", desk.receiver.url)
    assert desk.tick(3).startswith("0 alerts written, 0 incidents open")
    desk.cursor = replace(SensorState.of(desk.cursor), after=10**9).as_text()  # of another database of Dagster's
    desk.tick(4)
    desk.run(PROXY_SAYS_NO, "oysho")
    desk.tick(5)
    desk.tick(8)
    assert [one["brand"] for one in desk.receiver.messages()] == ["oysho"]


def test_the_sensor_takes_over_the_cursor_of_its_former_name(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before, desk.cursor = desk.cursor, None
    former = SimpleNamespace(instigator_name="notices", instigator_data=SimpleNamespace(cursor=before))
    monkeypatch.setattr(type(desk.instance), "all_instigator_state", lambda self: [former])
    desk.run(PROXY_SAYS_NO, "zara")
    desk.tick()
    assert desk.tick(3) == "1 alerts written, 1 incidents open; 1 sent"


def test_a_success_resolves_what_failed_under_a_former_name(desk: Desk, db: Database) -> None:
    desk.run(PROXY_SAYS_NO, "zara")
    desk.tick()
    assert desk.tick(3) == "1 alerts written, 1 incidents open; 1 sent"
    execute(db, "UPDATE notice_causes SET stage = 'house'")

    @dg.op
    def check_system() -> None: ...

    @dg.job
    def job() -> None:
        check_system()

    job.execute_in_process(instance=desk.instance, tags={"brand": "zara"})
    assert desk.tick(4) == "1 alerts written, 0 incidents open; 1 sent"


def test_a_failed_check_is_told_at_once_and_a_warning_in_the_morning(desk: Desk) -> None:
    error = dg.AssetCheckResult(passed=False, description="2 of 9 photos are blurred: look at them")
    warning = dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="8 of 9 photos are sharp"
    )
    desk.run(None, "zara", check=error)
    desk.run(None, "oysho", check=warning)
    desk.tick()
    assert desk.tick(3).endswith("1 alerts written, 2 incidents open; 1 sent")
    told = desk.receiver.messages()[0]
    assert (told["kind"], told["stage"], told["check"], told["brand"]) == ("check", "originals", "sharp", "zara")
    assert told["text"].startswith("check sharp of originals is failing: 1 run of zara\n2 of 9 photos are blurred")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=8, minute=1)
    until = (tomorrow - datetime.now(UTC)) / timedelta(minutes=1)
    assert desk.tick(until - 5).endswith("; 0 sent")
    assert desk.tick(until).endswith("; 1 sent")
    assert desk.tick(until + 5).endswith("; 0 sent")
    morning = desk.receiver.messages()[1]
    assert (morning["what"], morning["brand"]) == ("digest", "oysho")
    assert morning["text"].startswith("Daily digest: 1 warning\n") and "8 of 9 photos are sharp" in morning["text"]
    desk.run(None, "zara", "oysho")
    assert desk.tick(until + 6).endswith("0 incidents open; 1 sent")  # of the error; a warning just ends
    assert desk.receiver.messages()[2]["text"].startswith("check sharp of originals works again")


def test_nothing_that_a_run_says_does_harm_or_gives_a_secret_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {
        "APIFY_TOKEN": "apify-planted-8f3a61", "XIMILAR_API_TOKEN": "ximilar-planted-0b72d9",
        "PROXY_URL": "http://customer:proxy-planted@127.0.0.1:1", "NOTICE_WEBHOOK_SECRET": "signing-planted-77bb12",
    }  # fmt: skip
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    hostile = (
        "<!channel> @all <script>\x00</script>\r\nX-Evil: 1 " + " ".join(planted.values())
        + f" {load_settings().staging_db_url.get_secret_value()} {desk.receiver.url} "  # type: ignore[union-attr]
        + "https://somebody:of-nobodys-settings@host.test " + "long " * 2_000
    )  # fmt: skip
    desk.run(hostile.replace("{", "").replace("}", ""), "zara")
    desk.tick()
    assert desk.tick(3).endswith("; 1 sent")
    (posted,) = desk.receiver.posted
    arrived = posted.body.decode() + json.dumps(posted.headers)
    for secret in ("planted", "not-a-secret", "of-nobodys-settings"):
        assert secret not in arrived.replace(posted.path, ""), arrived
    assert "***" in arrived
    assert "<" not in posted.json["text"] and "@all" not in posted.json["text"] and "\r" not in posted.json["text"]
    assert len(posted.body) < 10_000
    assert "planted" not in json.dumps(execute_all(desk))


def execute_all(desk: Desk) -> list[Any]:
    """All that is kept of notices."""
    with Database(load_settings().staging_db_url.get_secret_value()) as db:  # type: ignore[union-attr]
        rows = execute(db, "SELECT * FROM notice_causes") + execute(db, "SELECT * FROM notices")
    return [[str(value) for value in row.values()] for row in rows]


def test_while_staging_is_away_it_is_told_once_and_what_failed_meanwhile_when_it_is_back(
    desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_DB_URL", f"postgresql://scraper:pass-planted@127.0.0.1:{closed_port()}/unde_staging")
    desk.run("originals of {brand} could not begin: the database is away", "zara", "oysho")
    assert "can't be used" in desk.tick() and desk.receiver.posted == []  # a restart is no news
    memory = SensorState.of(desk.cursor)
    assert memory.down_since is not None
    desk.cursor = replace(memory, down_since=memory.down_since - timedelta(minutes=5)).as_text()
    assert desk.tick().endswith("; 1 sent")
    assert desk.tick().endswith("; 0 sent")
    (told,) = desk.receiver.messages()
    assert told["what"] == "unwritten" and "planted" not in json.dumps(told)
    assert "2 runs failed meanwhile: originals (oysho, zara)." in told["text"]
    monkeypatch.setenv("STAGING_DB_URL", database_url)
    desk.tick()
    desk.tick(3)
    assert [one["what"] for one in desk.receiver.messages()] == ["unwritten", "over", "first"]
    assert desk.receiver.messages()[2]["brands"] == ["oysho", "zara"]


def test_a_run_whose_worker_died_is_told_unless_dagster_starts_it_once_more(desk: Desk) -> None:
    @dg.asset
    def collages() -> None: ...

    job = dg.Definitions(assets=[collages]).resolve_implicit_global_asset_job_def()
    for again, brand in ((True, "zara"), (False, "oysho")):
        run = desk.instance.create_run_for_job(
            job,
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": brand, "stage": "collages", "dagster/will_retry": str(again).lower()},
        )
        desk.instance.report_run_failed(run, message="Run worker process 4711 is gone")
    desk.tick()
    desk.tick(3)
    (told,) = desk.receiver.messages()
    assert (told["stage"], told["brand"], told["reason"]) == ("collages", "oysho", "Run worker process 4711 is gone")


def test_a_stage_of_ours_is_told_by_its_own_sentence(
    desk: Desk, materialize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "wrong-planted-token")
    for brand in ("zara", "oysho"):
        assert not materialize("raw_products", brand=brand).success
    desk.tick()
    desk.tick(3)
    told = [one for one in desk.receiver.messages() if one["kind"] == "run"]
    assert [(one["stage"], one["brands"]) for one in told] == [("raw_products", ["oysho", "zara"])]
    assert "raw_products of " in told[0]["reason"] and "Apify responded 401" in told[0]["reason"]
    assert "planted" not in json.dumps(desk.receiver.messages())
