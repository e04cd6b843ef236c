"""What an export shows: a live bar on a terminal, plain lines now and then elsewhere, and the figures at its end."""

import time
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from unde_catalog.services.export.figures import ExportTotals

_LINE_SECONDS = 10.0
_MOST_CATEGORIES = 50


class Screen:
    """Shows how far an export is, on a console; a context manager around the copying."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._told_at = time.monotonic()
        self._settled = -1
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=None), TimeElapsedColumn(),
            TextColumn("gone,"), TimeRemainingColumn(), TextColumn("left"),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, refresh_per_second=4, disable=not self._live)
        self._task = self._progress.add_task("reading the list", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def look(self, figures: ExportTotals) -> None:
        """How far it is by now."""
        if self._live:
            self._progress.update(
                self._task, completed=figures.settled, total=figures.total, description=_so_far(figures)
            )
        elif time.monotonic() - self._told_at >= _LINE_SECONDS and figures.settled != self._settled:
            self._told_at, self._settled = time.monotonic(), figures.settled
            self.say(f"{_so_far(figures)}, {_times(figures)}")

    def say(self, sentence: str, style: str | None = None) -> None:
        """A sentence of its own line."""
        self._console.print(escape(sentence), style=style, soft_wrap=True, highlight=False)

    def figures(self, figures: ExportTotals) -> None:
        """All figures at the end."""
        of = "" if figures.total is None else f" of {figures.total:,}"
        invalid, download = figures.failed["invalid"], figures.failed["download"]
        self.say(f"downloaded:      {figures.downloaded:,}{of} ({decimal(figures.bytes)})")
        self.say(f"already there:   {figures.there:,}")
        self.say(f"download errors: {download.total():,}")
        self.say(f"invalid images:  {invalid.total():,}")
        for name, count in ("products without a photo:", figures.without_photo), (
            "items that can't be read:", figures.unreadable.total(),
        ):  # fmt: skip
            if count:
                self.say(f"{name} {count:,}")
        rate = f", {figures.per_second:.2f} images a second" if figures.downloaded else ""
        self.say(f"time:            {_clock(figures.seconds)}{rate}")
        for what, counts in ("download error", download), ("invalid image", invalid):
            for reason, count in counts.most_common():
                some = figures.examples.get(reason, ())
                more = ", ..." if count > len(some) else ""
                self.say(f"  {what} {reason}: {count:,} ({', '.join(some)}{more})")
        self._categories(figures)

    def _categories(self, figures: ExportTotals) -> None:
        if not figures.categories:
            return
        table = Table("category", "downloaded", "already there", "failed", box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, one in figures.largest(_MOST_CATEGORIES):
            table.add_row(escape(name), f"{one.downloaded:,}", f"{one.there:,}", f"{one.failed:,}")
        self._console.print(table)


def _so_far(figures: ExportTotals) -> str:
    """E.g. `1,230 of 201,596 (12.2/s): 1,200 downloaded, 26 there, 4 failed`."""
    of = "" if figures.total is None else f" of {figures.total:,}"
    return (
        f"{figures.settled:,}{of} ({figures.per_second:.1f}/s): {figures.downloaded:,} downloaded, "
        f"{figures.there:,} there, {figures.failures:,} failed"
    )


def _times(figures: ExportTotals) -> str:
    gone = f"{_clock(figures.seconds)} gone"
    made = figures.downloaded + figures.failures
    if figures.total is None or not made or not figures.seconds:
        return gone
    left = max(0, figures.total - figures.settled) * figures.seconds / made
    return f"{gone}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
