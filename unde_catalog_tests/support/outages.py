"""The pipeline of a brand in this process, with failures injected during a run, and what is reported about them.

Each test causes its own failure; `torture/comparing.py` defines what must be the same afterwards.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.torture.assortment import Assortment
from unde_catalog_tests.torture.comparing import (
    TrialResult,
    differences,
    read_result,
    repeated_requests,
    stored_photos,
    unfinished_work,
)
from unde_catalog_tests.torture.trial_system import LONGER_THAN_LEASES, TrialSystem, running_system

BRAND = "zara"
STAGES = ("raw_products", "originals", "collages")  # the stages that write to other systems have their own tests
PRODUCTS = 8  # with 20 photos
SECRETS = ("not-a-secret", "planted-", "a role's own", "sandbox-token", "p4ss")
DOWNLOAD_SETTINGS = {
    "CONCURRENT_DOWNLOADS": "2", "DOWNLOAD_DELAY_MIN": "0", "DOWNLOAD_DELAY_MAX": "0", "MAX_RETRIES": "0",
}  # fmt: skip

Baseline = tuple[TrialResult, dict[str, tuple[str, str]]]


class Pipeline:
    """The stages of one brand on a trial's stores. `backends` are used by the next runs."""

    def __init__(self, system: TrialSystem, backends: Backends, caplog: pytest.LogCaptureFixture) -> None:
        self.system, self.backends, self.caplog = system, backends, caplog
        self.log = logging.getLogger("unde_catalog.pipeline")

    def run(self, stage: str, **options: object) -> StageReport:
        """Run a stage as the asset and the command line do."""
        self.system.record_stored_photos()
        requests = RunOptions(run_id="a run", root_run="a run", **options)  # type: ignore[arg-type]
        return run_stage(stage, StageRun(BRAND, self.backends, requests, self.log))

    def expect_stop(self, stage: str, *parts: str, logged: bool = True, **options: object) -> StageStopped:
        """Run a stage that stops with a one-sentence message that contains all of `parts`.

        The message is the same in the exception and, if `logged`, in the run's row in scraper_logs.
        """
        self.caplog.clear()
        with pytest.raises(StageStopped) as caught:
            self.run(stage, **options)
        sentence = str(caught.value)
        assert sentence.startswith(f"{stage} of {BRAND} stopped: ")
        assert [part for part in parts if part not in sentence] == [], sentence
        assert "\n" not in sentence and len(sentence) < 500
        rows = self.system.query("SELECT * FROM scraper_logs ORDER BY id DESC LIMIT 1")
        if logged:
            assert (rows[0]["status"], rows[0]["error_message"]) == ("error", sentence)
        output = f"{sentence}{self.caplog.text}{rows}"
        assert [secret for secret in SECRETS if secret in output] == []
        assert not [record for record in self.caplog.records if record.levelno >= logging.ERROR or record.exc_info]
        return caught.value

    def assert_nothing_leased(self) -> None:
        assert self.system.query("SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
        assert self.system.query("SELECT 1 FROM scrapes WHERE lease_token IS NOT NULL") == []

    def assert_no_attempts(self) -> None:
        """No attempt was counted, except for the product that has no photos."""
        attempted = "attempts > 0 OR item_faults > 0 OR given_up OR reason IS NOT NULL OR failing_since IS NOT NULL"
        assert (
            self.system.query(f"SELECT * FROM due_work WHERE ({attempted}) AND reason IS DISTINCT FROM 'no_photos'")
            == []
        )
        failed = "SELECT 1 FROM raw_products WHERE error_message IS NOT NULL AND original_image_urls <> '[]'"
        assert self.system.query(failed) == []

    def expire_leases(self) -> None:
        self.system.advance(LONGER_THAN_LEASES)
        self.reconnect()

    def reconnect(self) -> None:
        """Open new connections, which see the current value of unde_now()."""
        self.backends.close()
        self.backends = Backends(self.backends.settings)

    def at_put(self, number: int, trouble: Callable[[], object]) -> None:
        """Inject a failure right before the put with this number (from 1)."""
        store, puts = self.backends.store, 0
        original_put = store.put

        def put(key: str, data: bytes, content_type: str) -> None:
            nonlocal puts
            puts += 1
            if puts == number:
                trouble()
            original_put(key, data, content_type)

        store.put = put  # type: ignore[method-assign]

    def at_log(self, part: str, trouble: Callable[[], object]) -> None:
        """Inject a failure when a log line first contains this text."""
        begun = False

        def begin(record: logging.LogRecord) -> bool:
            nonlocal begun
            if part in record.getMessage() and not begun:
                begun = True
                trouble()
            return True

        self.log.addFilter(begin)

    def assert_equals(self, baseline: Baseline) -> None:
        """All work is done, no stored photo was downloaded again, and the result equals the baseline."""
        expected, hashes = baseline
        _delete_other_due_work(self.system)
        wrong = (
            differences(expected, read_result(self.system))
            + unfinished_work(self.system)
            + repeated_requests(self.system, hashes)
        )
        assert not wrong, "\n".join(wrong[:8])

    def finish_and_equal(self, baseline: Baseline, *stages: str) -> None:
        """Run these stages to a successful end and compare the result with the baseline."""
        for stage in stages:
            report = self.run(stage)
            assert (report.still_due, report.leased_elsewhere) == (0, 0), report.sentence()
        self.assert_equals(baseline)


@contextmanager
def running_pipeline(
    server: Server,
    assortment: Assortment,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    objects: Path | None = None,
    **environment: str,
) -> Iterator[Pipeline]:
    """A new pipeline; nothing is collected yet."""
    with running_system(server, assortment, folder, objects, {**DOWNLOAD_SETTINGS, **environment}) as system:
        monkeypatch.chdir(folder)
        for name, value in system.environment.items():
            monkeypatch.setenv(name, value)
        caplog.set_level(logging.DEBUG)
        pipeline = Pipeline(system, Backends(load_settings()), caplog)
        try:
            yield pipeline
        finally:
            pipeline.log.filters.clear()
            pipeline.backends.close()


def run_stages(pipeline: Pipeline, *stages: str) -> Pipeline:
    """Run these stages (by default the first) and return the pipeline."""
    for stage in stages or ("raw_products",):
        pipeline.run(stage)
    return pipeline


def create_baseline(pipeline: Pipeline) -> Baseline:
    """The result of a pipeline without failures."""
    run_stages(pipeline, *STAGES)
    _delete_other_due_work(pipeline.system)
    return read_result(pipeline.system), stored_photos(pipeline.system)


def _delete_other_due_work(system: TrialSystem) -> None:
    """Delete the due work of stages that the pipeline does not run."""
    system.query("DELETE FROM due_work WHERE stage <> ALL(%s)", list(STAGES))
