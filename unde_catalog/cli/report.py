"""`unde-catalog report`: the state of the catalogue as an HTML page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.catalog import build, store
from unde_catalog.settings.environment import load_settings

_console = Console()


def report_command(
    path: Annotated[
        Path | None, typer.Argument(help="A file to write the page to. Without it, the page goes to the object store.")
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Build the report on the state of the catalogue: funnel, due work, failures, freshness, stores, growth."""
    with Backends(load_settings(), create=False) as backends:
        rendered = build(backends)
        if path is None:
            url = store(backends, rendered)
        else:
            try:
                path.write_text(rendered.page, encoding="utf-8")
            except OSError as error:
                raise ValueError(
                    f"the report cannot be written to {path}: {error.strerror}; name another file"
                ) from error
            url = path.absolute().as_uri()
    found = notes(rendered.report)
    _console.print(headline(rendered.report, found), highlight=False)
    for note in found:
        quote = f" ({note.quote})" if note.quote else ""
        _console.print(f"- {note.sentence}{quote}", highlight=False, markup=False, soft_wrap=True)
    _console.print(url, highlight=False, markup=False, soft_wrap=True)
    if open:
        webbrowser.open(url)
