"""`unde-catalog scope` and `target-count`: where products are indexed, and how many of their photos are in Ximilar."""

from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS, IndexScope
from unde_catalog.operations.upkeep import index_scope
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.staging.index.scopes import IndexChange, ProductGroup
from unde_catalog.text import quantity

_console = Console()

_Brand = Annotated[str, typer.Argument(help=f"One of {', '.join(BRANDS)}.")]
_Category = Annotated[str | None, typer.Option(help="Only products of exactly this category.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def scope_command(
    brand: _Brand,
    scope: Annotated[str, typer.Argument(help=f"One of {', '.join(index_scope.SCOPES)}.")],
    category: _Category = None,
    yes: _Yes = False,
) -> None:
    """Set where a brand's products are indexed: pilot (Ximilar and our own index), pgvector (our own alone) or off.

    Says what it costs and asks before anything changes. New products have the scope of <BRAND>_INDEX_SCOPE.
    """
    _change(ProductGroup(brand, category), IndexChange(scope=cast(IndexScope, scope)), yes)


def target_count_command(
    brand: _Brand,
    count: Annotated[int, typer.Argument(help=f"Photos of a product in Ximilar, 0 to {index_scope.MAX_TARGET}.")],
    category: _Category = None,
    yes: _Yes = False,
) -> None:
    """Set how many photos of each product are in Ximilar. A higher number sends only the missing ones.

    Says what it costs and asks before anything changes.
    """
    _change(ProductGroup(brand, category), IndexChange(target_count=count), yes)


def _change(group: ProductGroup, change: IndexChange, yes: bool) -> None:
    with Backends(load_settings(), create=False) as backends:
        found = index_scope.effect_of(backends.db, group, change)
        _console.print(escape(index_scope.sentence(group, found)), soft_wrap=True, highlight=False)
        if not found.changed:
            return
        if not yes:
            typer.confirm("Change them?", abort=True)
        with _console.status("changing") as status:
            changed = index_scope.apply(
                backends.db, group, change, lambda count: status.update(f"{count:,} of {found.changed:,} changed")
            )
    _console.print(f"{quantity(changed, 'product')} changed; the stages do the rest.", highlight=False)
