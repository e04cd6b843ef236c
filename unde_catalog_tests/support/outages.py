"""A brand's whole line in this process, into which trouble comes in the middle of a run, and what is told of it.

What causes the trouble is each test's; what must be the same afterwards is `torture/comparing.py`'s.
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
    Left,
    asked_again,
    differences,
    left,
    left_open,
    stored_photos,
)
from unde_catalog_tests.torture.house import LEASES_RAN_OUT, House, house

BRAND = "zara"
LINE = ("raw_products", "originals", "collages")  # the stages that tell others have tests of their own
PRODUCTS = 8  # with 20 photos
SECRETS = ("not-a-secret", "planted-", "a role's own", "sandbox-token", "p4ss")
MANNERS = {
    "CONCURRENT_DOWNLOADS": "2", "DOWNLOAD_DELAY_MIN": "0", "DOWNLOAD_DELAY_MAX": "0", "MAX_RETRIES": "0",
}  # fmt: skip

Undisturbed = tuple[Left, dict[str, tuple[str, str]]]


class Line:
    """The stages of one brand on a trial's stores; `place` is what runs from now on work with."""

    def __init__(self, made: House, backends: Backends, caplog: pytest.LogCaptureFixture) -> None:
        self.house, self.place, self.caplog = made, backends, caplog
        self.log = logging.getLogger("unde_catalog.line")

    def run(self, stage: str, **options: object) -> StageReport:
        """A run of a stage, as the asset and the command line make it."""
        self.house.look()
        asked = RunOptions(run_id="a run", root_run="a run", **options)  # type: ignore[arg-type]
        return run_stage(stage, StageRun(BRAND, self.place, asked, self.log))

    def stopped(self, stage: str, *said: str, logged: bool = True, **options: object) -> StageStopped:
        """A run that stops with one sentence in which all of `said` stands, told everywhere in the same words.

        `logged`: the database could be reached for its row in scraper_logs.
        """
        self.caplog.clear()
        with pytest.raises(StageStopped) as caught:
            self.run(stage, **options)
        sentence = str(caught.value)
        assert sentence.startswith(f"{stage} of {BRAND} stopped: ")
        assert [part for part in said if part not in sentence] == [], sentence
        assert "\n" not in sentence and len(sentence) < 500
        rows = self.house.query("SELECT * FROM scraper_logs ORDER BY id DESC LIMIT 1")
        if logged:
            assert (rows[0]["status"], rows[0]["error_message"]) == ("error", sentence)
        told = f"{sentence}{self.caplog.text}{rows}"
        assert [secret for secret in SECRETS if secret in told] == []
        assert not [record for record in self.caplog.records if record.levelno >= logging.ERROR or record.exc_info]
        return caught.value

    def nothing_is_leased(self) -> None:
        assert self.house.query("SELECT 1 FROM due_work WHERE lease_token IS NOT NULL") == []
        assert self.house.query("SELECT 1 FROM scrapes WHERE lease_token IS NOT NULL") == []

    def nothing_was_tried(self) -> None:
        """No product pays for it; one has no photos, which is its own fault."""
        paid = "attempts > 0 OR item_faults > 0 OR given_up OR reason IS NOT NULL OR failing_since IS NOT NULL"
        assert self.house.query(f"SELECT * FROM due_work WHERE ({paid}) AND reason IS DISTINCT FROM 'no_photos'") == []
        told = "SELECT 1 FROM raw_products WHERE error_message IS NOT NULL AND original_image_urls <> '[]'"
        assert self.house.query(told) == []

    def leases_run_out(self) -> None:
        self.house.later(LEASES_RAN_OUT)
        self.reconnect()

    def reconnect(self) -> None:
        """What unde_now() answers holds for new connections."""
        self.place.close()
        self.place = Backends(self.place.settings)

    def at_put(self, number: int, trouble: Callable[[], object]) -> None:
        """Let it begin when so many objects (from 1) are about to be stored."""
        store, puts = self.place.store, 0
        really_put = store.put

        def put(key: str, data: bytes, content_type: str) -> None:
            nonlocal puts
            puts += 1
            if puts == number:
                trouble()
            really_put(key, data, content_type)

        store.put = put  # type: ignore[method-assign]

    def at_log(self, part: str, trouble: Callable[[], object]) -> None:
        """Let it begin when a line with this in it is logged for the first time."""
        begun = False

        def begin(record: logging.LogRecord) -> bool:
            nonlocal begun
            if part in record.getMessage() and not begun:
                begun = True
                trouble()
            return True

        self.log.addFilter(begin)

    def is_as(self, undisturbed: Undisturbed) -> None:
        """All is done, no stored photo was asked for again, and all is as if nothing had happened."""
        expected, hashes = undisturbed
        _forget_others(self.house)
        wrong = differences(expected, left(self.house)) + left_open(self.house) + asked_again(self.house, hashes)
        assert not wrong, "\n".join(wrong[:8])

    def finishes_as(self, undisturbed: Undisturbed, *stages: str) -> None:
        """The same command again, and those after it, end well and leave what an undisturbed line leaves."""
        for stage in stages:
            report = self.run(stage)
            assert (report.still_due, report.leased_elsewhere) == (0, 0), report.sentence()
        self.is_as(undisturbed)


@contextmanager
def line(
    server: Server,
    sells: Assortment,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    objects: Path | None = None,
    **environment: str,
) -> Iterator[Line]:
    """A fresh one; nothing is collected yet."""
    with house(server, sells, folder, objects, {**MANNERS, **environment}) as made:
        monkeypatch.chdir(folder)
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        caplog.set_level(logging.DEBUG)
        opened = Line(made, Backends(load_settings()), caplog)
        try:
            yield opened
        finally:
            opened.log.filters.clear()
            opened.place.close()


def collected(opened: Line, *stages: str) -> Line:
    """The line after these stages went well."""
    for stage in stages or ("raw_products",):
        opened.run(stage)
    return opened


def undisturbed_line(opened: Line) -> Undisturbed:
    """What a line leaves into which no trouble comes."""
    collected(opened, *LINE)
    _forget_others(opened.house)
    return left(opened.house), stored_photos(opened.house)


def _forget_others(made: House) -> None:
    """What the line has made due for stages that are no part of it."""
    made.query("DELETE FROM due_work WHERE stage <> ALL(%s)", list(LINE))
