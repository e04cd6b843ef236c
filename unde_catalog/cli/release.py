"""`unde-catalog release`: confirms prices that publishing holds back."""

import getpass
import socket
from typing import Annotated

import typer
from rich.console import Console

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS, brand_for
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.products import price_releases
from unde_catalog.text import quantity

_console = Console()


def release_command(
    brand: Annotated[str, typer.Option("--brand", "-b", help=f"One of {', '.join(BRANDS)}.")],
    why: Annotated[str, typer.Option(help="The reason, which stays beside each price.")],
    product_ids: Annotated[
        str | None, typer.Option(help="Only these products, as external ids separated by commas. All by default.")
    ] = None,
) -> None:
    """Confirm prices that are right although publishing holds them back; the next run publishes them.

    A confirmed price counts until the product is published with it. Who confirmed it, when and why stays in the table
    price_releases, and show prints it.
    """
    brand_for(brand)
    ids = None if product_ids is None else [one.strip() for one in product_ids.split(",") if one.strip()]
    if not why.strip() or ids == []:
        raise ValueError("--why and --product-ids must not be empty")
    with Backends(load_settings(), create=False) as backends:
        released = backends.db.run(
            price_releases.release, brand, ids, why.strip(), f"{getpass.getuser()}@{socket.gethostname()}"
        )
    if missing := sorted(set(ids or ()) - set(released)):
        raise ValueError(f"{', '.join(missing)}: no product of {brand} on sale with a price has this id")
    _console.print(f"{quantity(len(released), 'price')} of {brand} confirmed: the next run publishes them.")
