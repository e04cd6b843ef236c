"""`unde-catalog search`: serving the API and its page, and the keys of those who use it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.search import SEARCH_PORT
from unde_catalog.stores.staging.admin import api_keys
from unde_catalog.stores.staging.admin.api_keys import Scope

search_app = typer.Typer(help="The search API and its page.", no_args_is_help=True)
keys_app = typer.Typer(help="Keys of those who use the API.", no_args_is_help=True)
search_app.add_typer(keys_app, name="keys")
_console = Console()

KeyName = Annotated[str, typer.Argument(help="Whose it is, e.g. web-shop.")]


@search_app.command("serve")
def serve_command(
    host: Annotated[
        str, typer.Option(help="The address to serve at; 0.0.0.0 for all of this machine's.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65_535)] = SEARCH_PORT,
) -> None:
    """Serve the API and its page until Ctrl-C, and log a line of JSON for each request."""
    try:
        from unde_catalog.services.search.server import serve
    except ImportError as error:
        raise ValueError(f"the API needs the extra search: pip install 'unde-catalog[search]' ({error})") from error
    serve(load_settings(), host, port)


@keys_app.command("create")
def create_command(
    name: KeyName,
    scope: Annotated[Scope, typer.Option(help="read, or write: what may be changed, too.")] = "read",
) -> None:
    """Make a key and show it: this once, as only a hash of it is kept."""
    from unde_catalog.services.search.middleware import api_keys as keys

    key = keys.make()
    with Backends(load_settings()) as backends:
        if not backends.db.run(api_keys.add, keys.checked_name(name), scope, keys.digest(key)):
            raise ValueError(f"there is a key named {name} already: choose another name, or revoke that one")
    print(key)


@keys_app.command("list")
def list_command() -> None:
    """Show all keys by name: what they may do, when they were made, used and revoked."""
    table = Table("name", "scope", "made", "last used", "revoked", box=None)
    with Backends(load_settings()) as backends:
        for key in backends.db.run(api_keys.listed):
            moments = (key.created_at, key.last_used_at, key.revoked_at)
            table.add_row(key.name, key.scope, *(f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in moments))
    _console.print(table if table.row_count else "there are no keys: unde-catalog search keys create NAME")


@keys_app.command("revoke")
def revoke_command(name: KeyName) -> None:
    """Let a key hold no longer, from the next request on."""
    with Backends(load_settings()) as backends:
        if not backends.db.run(api_keys.revoke, name):
            raise ValueError(f"no key named {name} holds: unde-catalog search keys list")
    _console.print(f"the key {name} is revoked.", highlight=False)
