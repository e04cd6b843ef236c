"""`unde-catalog roles`: the rights of the database roles of single stages."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.admin import role_rights
from unde_catalog.stores.staging.admin.role_rights import STAGE_ROLES, ExcessRight
from unde_catalog.text import quantity

_console = Console()


def roles_command(
    strict: Annotated[bool, typer.Option("--strict", help="Take back the rights that no stage needs.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Give back what --strict took back.")] = False,
) -> None:
    """Show what the roles apify, collage, downloader and ximilar may do beyond their stages, or narrow their rights.

    Deployed services may need more than this project's stages: use --strict when the last of them is off. Needs the
    owner of the tables.
    """
    if strict and restore:
        raise typer.BadParameter("--strict and --restore exclude each other")
    with Backends(load_settings(), create=False) as backends:
        if restore:
            _print(backends.db.run(role_rights.restore), "given back")
        elif strict:
            _print(backends.db.run(role_rights.narrow), "taken back")
        else:
            _print(backends.db.read(role_rights.excess), "more than their stages need")


def _print(rights: list[ExcessRight], what: str) -> None:
    if not rights:
        _console.print(f"No right is {what} ({', '.join(STAGE_ROLES)}).", highlight=False)
        return
    table = Table("role", "table", "rights", box=None)
    for role, name in dict.fromkeys((right.role, right.table) for right in rights):
        table.add_row(role, name, ", ".join(r.privilege for r in rights if (r.role, r.table) == (role, name)))
    _console.print(table)
    _console.print(f"{quantity(len(rights), 'right')}: {what}.", highlight=False)
