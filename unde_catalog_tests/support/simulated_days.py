"""Days in simulated time: every tick of schedules and sensors, with its run requests executed.

`python -m ... [DAYS [BRAND ...]]` processes the real input with faults in a tenth of the requests and prints figures.
No real time is spent sleeping. Brands that are not listed are paused. Checks, reports and alerts, which change
nothing, are left out.
"""

import heapq
import itertools
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg

from unde_catalog.brands import BRANDS
from unde_catalog.definitions import build_definitions
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.settings.environment import Settings, load_settings
from unde_catalog.settings.sources import publish
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog_tests.support.days_compared import compare
from unde_catalog_tests.support.servers import PROJECT, REAL_DATA, Sandbox, Server, running_sandbox, wheel_server
from unde_catalog_tests.support.simulated_time import SharedTime

SUNDAY = datetime(2026, 3, 1, tzinfo=UTC)
# A tenth of the paths of each kind fails, most of them for a few requests and some permanently.
FAULTS = (
    "photo:404=0.01,photo:503x2=0.02,photo:truncatedx2=0.02,photo:reset=0.01,photo:htmlx3=0.02,photo:timeoutx1=0.02,"
    "stock:526x3=0.03,stock:403=0.02,stock:htmlx5=0.02,stock:lostx4=0.02,stock:timeoutx1=0.01,"
    "apify.start:503x1=0.1,apify.items:500x1=0.1,ximilar.insert:lostx1=0.1,finder:503x1=0.1"
)
SENSOR_MINUTES = 15
READ_ONLY = {
    "brand_checks_daily", "freshness_checks_hourly", "system_checks_hourly", "build_report_hourly",
    "record_user_media_days_daily", "send_alerts",
}  # fmt: skip
# Several runs in one process cannot capture standard output separately.
_NO_COMPUTE_LOGS = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


class Days:
    """The project's definitions on an instance, with a sandbox and time that passes from tick to tick."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        time: SharedTime,
        begin: datetime,
        leave_out: AbstractSet[str],
    ) -> None:
        self.settings, self.instance, self.time, self.begin = settings, instance, time, begin
        self._leave_out = leave_out
        resource = BackendsResource(settings, time.clock)
        self._resources = {"backends": resource}
        self.definitions = build_definitions(settings, self._resources)
        self.runs: Counter[tuple[str, bool]] = Counter()  # by stage or job, and whether they succeeded
        self.failures: list[str] = []
        self._counting = threading.Lock()
        self._jobs: dict[str | None, dg.JobDefinition] = {}

    def pass_until(self, end: datetime) -> None:
        """Execute every tick until `end` in order. Long runs continue beside the others."""
        for moment, tick in self._ticks(end):
            self.time.pass_until(moment)
            for request, job, selection in tick(moment):
                self._execute(request, job, selection)
                self.time.pass_until(
                    moment
                )  # one at a time, because Dagster configures logging for all threads when a run begins
        self.time.pass_until(end)

    def _ticks(self, end: datetime) -> Iterator[tuple[datetime, Callable[[datetime], list[Any]]]]:
        heap: list[tuple[datetime, int, Any, Iterator[datetime]]] = []
        for n, schedule in enumerate(self.definitions.schedules or []):
            if schedule.name in self._leave_out:  # type: ignore[union-attr]
                continue
            times = _moments(str(schedule.cron_schedule), self.begin)  # type: ignore[union-attr]
            heapq.heappush(heap, (next(times), n, schedule, times))
        for n, sensor in enumerate(self.definitions.sensors or []):
            if sensor.name in self._leave_out:
                continue
            quarters = (self.begin + timedelta(minutes=SENSOR_MINUTES * k) for k in range(10**6))
            heapq.heappush(heap, (next(quarters), 1000 + n, sensor, quarters))
        while heap and heap[0][0] <= end:
            moment, n, clock, times = heapq.heappop(heap)
            yield moment, (self._of_sensor(clock) if n >= 1000 else self._of_schedule(clock))
            heapq.heappush(heap, (next(times), n, clock, times))

    def _of_schedule(self, schedule: Any) -> Callable[[datetime], list[Any]]:
        def tick(moment: datetime) -> list[Any]:
            context = dg.build_schedule_context(
                instance=self.instance, scheduled_execution_time=moment, resources=self._resources
            )
            result = schedule(context)
            requests = [] if isinstance(result, dg.SkipReason) else result
            requests = requests if isinstance(requests, list) else [requests]
            return [(request, schedule.job_name, None) for request in requests]

        return tick

    def _of_sensor(self, sensor: Any) -> Callable[[datetime], list[Any]]:
        def tick(moment: datetime) -> list[Any]:
            context = dg.build_sensor_context(instance=self.instance, resources=self._resources)
            result = sensor(context)
            requests = [] if isinstance(result, dg.SkipReason) else result.run_requests
            return [(request, None, request.tags["stage"]) for request in requests]

        return tick

    def _job(self, name: str | None) -> dg.JobDefinition:
        if name not in self._jobs:
            resolve = self.definitions.resolve_job_def
            implicit = self.definitions.resolve_implicit_global_asset_job_def
            self._jobs[name] = resolve(name) if name else implicit()
        return self._jobs[name]

    def _execute(self, request: dg.RunRequest, job: str | None, stage: str | None) -> None:
        definition = self._job(job)

        def run() -> None:
            result = definition.execute_in_process(
                partition_key=request.partition_key,
                run_config={
                    **dict(request.run_config or {}),
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
                tags=dict(request.tags),
                asset_selection=[dg.AssetKey(stage)] if stage else None,
                instance=self.instance,
                raise_on_error=False,
            )
            name = request.tags.get("stage") or job or ""
            with self._counting:
                self.runs[name, result.success] += 1
                if not result.success:
                    errors = [str(one.step_failure_data.error) for one in result.all_events if one.is_step_failure]
                    self.failures.append(f"{self.time.now:%a %H:%M} {name} {request.partition_key}: {errors}"[:600])

        if request.tags.get("stage") == "availability":
            self.time.start(run)
        else:
            run()


def _moments(cron: str, begin: datetime) -> Iterator[datetime]:
    """The times, in UTC, that match a cron line of numbers and stars."""
    minute, hour, day, month, weekday = cron.split()
    for k in itertools.count():
        at = begin + timedelta(minutes=k)
        is_met = zip(
            (minute, hour, day, month, weekday),
            (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7),
            strict=True,
        )
        if all(field == "*" or int(field) == value for field, value in is_met):
            yield at


def environment(sandbox: Sandbox, server: Server, folder: Path, brands: frozenset[str] | None) -> dict[str, str]:
    """The environment for the sandbox and new databases on the server. Configures `brands`, or all if None."""
    staging, production = server.new_database(), server.new_production_database()
    dagster = server.new_database(migrated=False)
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text() + _NO_COMPUTE_LOGS)
    variables = {
        **sandbox.environment,
        "UNDE_HOME": str(folder / "home"),
        "STAGING_DB_URL": staging,
        "PRODUCTION_DB_URL": production,
        "DAGSTER_DB_URL": server.past_poolers(dagster),
        "DAGSTER_HOME": str(home),
        "ZARA_INDEX_SCOPE": "pilot",
        "XIMILAR_RATE_LIMIT": "1000",
        "DOWNLOAD_TIMEOUT": "2",
        "STOCK_TIMEOUT": "2",
        "BAKAI_CDN_SECRET_KEY": "",  # BakaiMarket has no stores
    }
    for name in variables:
        brand = name.removeprefix("APIFY_TASK_").removeprefix("DUBAI_").removesuffix("_STORES").lower()
        if name.startswith(("APIFY_TASK_", "DUBAI_")) and brands is not None and brand not in brands:
            variables[name] = ""
    return variables


def pass_days(
    server: Server,
    folder: Path,
    begin: datetime,
    end: datetime,
    data: Path | None,
    faults: str,
    brands: frozenset[str] | None = None,
    leave_out: AbstractSet[str] = frozenset(),
    set_environment: Callable[[dict[str, str]], None] = publish,
) -> dict[str, Any]:
    """Let the time pass from `begin` to `end`. Returns figures; `differences` lists every violated expectation."""
    started = time.monotonic()
    arguments = ["--faults", faults, *(["--data", str(data)] if data else [])]
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(folder / "sandbox", *arguments))
        set_environment(environment(sandbox, server, folder, brands))
        settings = load_settings()
        staging_url, production_url = (
            url.get_secret_value() if url else "" for url in (settings.staging_db_url, settings.production_db_url)
        )
        clock = SharedTime(
            server.direct_url(staging_url), begin, lambda moment: sandbox.control(shops={"now": moment.isoformat()})
        )
        stack.callback(clock.close)
        instance = stack.enter_context(dg.DagsterInstance.get())
        with Database(staging_url) as db:
            for brand in BRANDS:
                if brands is not None and brand not in brands:
                    db.run(pauses.pause, brand, "*", "not simulated")
        days = Days(settings, instance, clock, begin, leave_out)
        days.pass_until(end)
        clock.pass_until(end + timedelta(hours=2))  # runs that poll end with their hour
        db, production = (stack.enter_context(Database(url)) for url in (staging_url, production_url))
        return {
            "runs": {
                f"{name} {'succeeded' if succeeded else 'failed'}": n
                for (name, succeeded), n in sorted(days.runs.items())
            },
            "failures": days.failures,
            "real seconds": round(time.monotonic() - started),
            **compare(sandbox, settings, db, production, begin, end),
        }


def main(days: float, brands: frozenset[str] | None) -> int:
    """Simulate days with the real input. Returns 1 if there are differences."""
    with tempfile.TemporaryDirectory(prefix="unde-days-") as folder, wheel_server(18) as server:
        with psycopg.connect(server.admin_url, autocommit=True) as administrator:
            administrator.execute("ALTER SYSTEM SET synchronous_commit = off")  # as on the production server
            administrator.execute("SELECT pg_reload_conf()")
        end = SUNDAY + timedelta(days=days, minutes=10)
        figures = pass_days(server, Path(folder), SUNDAY, end, REAL_DATA, FAULTS, brands, READ_ONLY)
    print(json.dumps(figures, indent=2, default=str))
    return 1 if figures["differences"] else 0


if __name__ == "__main__":
    brands = frozenset(sys.argv[2:])
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3, brands or None))
