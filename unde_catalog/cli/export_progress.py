"""Shows an export: a progress bar on a terminal, plain lines elsewhere, and the totals at the end."""

import time
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from unde_catalog.services.export.totals import ExportTotals

_LINE_SECONDS = 10.0
_MAX_CATEGORIES = 50


class ExportDisplay:
    """Shows progress on a console. A context manager around the export."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._last_line_at = time.monotonic()
        self._last_processed = -1
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=None), TimeElapsedColumn(),
            TextColumn("elapsed,"), TimeRemainingColumn(), TextColumn("left"),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, refresh_per_second=4, disable=not self._live)
        self._task = self._progress.add_task("reading the list", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, totals: ExportTotals) -> None:
        """Show the current totals."""
        if self._live:
            self._progress.update(
                self._task, completed=totals.processed, total=totals.total, description=_progress(totals)
            )
        elif time.monotonic() - self._last_line_at >= _LINE_SECONDS and totals.processed != self._last_processed:
            self._last_line_at, self._last_processed = time.monotonic(), totals.processed
            self.print(f"{_progress(totals)}, {_times(totals)}")

    def print(self, message: str) -> None:
        """Print one line."""
        self._console.print(escape(message), soft_wrap=True, highlight=False)

    def print_totals(self, totals: ExportTotals) -> None:
        """Print the totals at the end."""
        of_total = "" if totals.total is None else f" of {totals.total:,}"
        invalid, download = totals.failed["invalid"], totals.failed["download"]
        self.print(f"downloaded:      {totals.downloaded:,}{of_total} ({decimal(totals.bytes)})")
        self.print(f"already there:   {totals.already_there:,}")
        self.print(f"download errors: {download.total():,}")
        self.print(f"invalid images:  {invalid.total():,}")
        for label, count in ("products without a photo:", totals.without_photo), (
            "unreadable items:", totals.unreadable.total(),
        ):  # fmt: skip
            if count:
                self.print(f"{label} {count:,}")
        rate = f", {totals.per_second:.2f} images per second" if totals.downloaded else ""
        self.print(f"time:            {_clock(totals.seconds)}{rate}")
        for label, counts in ("download error", download), ("invalid image", invalid):
            for reason, count in counts.most_common():
                examples = totals.examples.get(reason, ())
                more = ", ..." if count > len(examples) else ""
                self.print(f"  {label} {reason}: {count:,} ({', '.join(examples)}{more})")
        self._print_categories(totals)

    def _print_categories(self, totals: ExportTotals) -> None:
        if not totals.categories:
            return
        table = Table("category", "downloaded", "already there", "failed", box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, category in totals.largest(_MAX_CATEGORIES):
            table.add_row(
                escape(name), f"{category.downloaded:,}", f"{category.already_there:,}", f"{category.failed:,}"
            )
        self._console.print(table)


def _progress(totals: ExportTotals) -> str:
    """E.g. `1,230 of 201,596 (12.2/s): 1,200 downloaded, 26 already there, 4 failed`."""
    of_total = "" if totals.total is None else f" of {totals.total:,}"
    return (
        f"{totals.processed:,}{of_total} ({totals.per_second:.1f}/s): {totals.downloaded:,} downloaded, "
        f"{totals.already_there:,} already there, {totals.failures:,} failed"
    )


def _times(totals: ExportTotals) -> str:
    elapsed = f"{_clock(totals.seconds)} elapsed"
    attempted = totals.downloaded + totals.failures
    if totals.total is None or not attempted or not totals.seconds:
        return elapsed
    left = max(0, totals.total - totals.processed) * totals.seconds / attempted
    return f"{elapsed}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
