"""`unde-catalog search`: serve the search API and page, and manage API keys."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.search import SEARCH_PORT
from unde_catalog.stores.staging.admin import api_keys
from unde_catalog.stores.staging.admin.api_keys import Scope

search_app = typer.Typer(help="The search API and page.", no_args_is_help=True)
keys_app = typer.Typer(help="Manage API keys.", no_args_is_help=True)
search_app.add_typer(keys_app, name="keys")
_console = Console()

KeyName = Annotated[str, typer.Argument(help="The key's name, e.g. the client that uses it: web-shop.")]


@search_app.command("serve")
def serve_command(
    host: Annotated[
        str, typer.Option(help="The address to listen on. 0.0.0.0: all addresses of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port. 0: any free port.", min=0, max=65_535)] = SEARCH_PORT,
) -> None:
    """Serve the search API and page until Ctrl-C. Logs one line of JSON per request."""
    try:
        from unde_catalog.services.search.server import serve
    except ImportError as error:
        raise ValueError(
            f"the search API needs the extra [search]: pip install 'unde-catalog[search]' ({error})"
        ) from error
    serve(load_settings(), host, port)


@keys_app.command("create")
def create_command(
    name: KeyName,
    scope: Annotated[Scope, typer.Option(help="read, or write: read and edit products.")] = "read",
) -> None:
    """Create a key and print it. It is shown only once: only its hash is stored."""
    from unde_catalog.services.search.middleware import api_keys as keys

    key = keys.generate()
    with Backends(load_settings(), create=False) as backends:
        if not backends.db.run(api_keys.add, keys.validate_name(name), scope, keys.digest(key)):
            raise ValueError(f"the key {name} exists already: choose another name, or revoke that key first")
    print(key)


@keys_app.command("list")
def list_command() -> None:
    """List all keys with their scope and when they were created, last used and revoked."""
    table = Table("name", "scope", "created", "last used", "revoked", box=None)
    with Backends(load_settings(), create=False) as backends:
        for key in backends.db.run(api_keys.all_keys):
            times = (key.created_at, key.last_used_at, key.revoked_at)
            table.add_row(key.name, key.scope, *(f"{time:%Y-%m-%d %H:%M}" if time else "-" for time in times))
    _console.print(table if table.row_count else "There are no keys. Create one: unde-catalog search keys create NAME")


@keys_app.command("revoke")
def revoke_command(name: KeyName) -> None:
    """Revoke a key. It stops working with the next request."""
    with Backends(load_settings(), create=False) as backends:
        if not backends.db.run(api_keys.revoke, name):
            raise ValueError(f"there is no valid key named {name}: see unde-catalog search keys list")
    _console.print(f"The key {name} is revoked.", highlight=False)
