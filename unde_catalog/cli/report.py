"""`unde-catalog report`: the state of the catalogue as a page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.catalog import render, store
from unde_catalog.settings.environment import load_settings

_console = Console()


def report_command(
    path: Annotated[
        Path | None, typer.Argument(help="A file to write the page to; without it, the object store.")
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Make the report that Dagster makes hourly: funnel, due work, failures, freshness, shops, growth."""
    with Backends(load_settings()) as backends:
        made = render(backends)
        if path is None:
            url = store(backends, made)
        else:
            try:
                path.write_text(made.page, encoding="utf-8")
            except OSError as error:
                raise ValueError(
                    f"the report can't be written to {path}: {error.strerror}; name another file"
                ) from error
            url = path.absolute().as_uri()
    found = notes(made.report)
    _console.print(headline(made.report, found), highlight=False)
    for one in found:
        said = f" ({one.said})" if one.said else ""
        _console.print(f"- {one.sentence}{said}", highlight=False, markup=False, soft_wrap=True)
    _console.print(url, highlight=False, markup=False, soft_wrap=True)
    if open:
        webbrowser.open(url)
