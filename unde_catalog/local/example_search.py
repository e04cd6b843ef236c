"""The search at the end of the demo: products that look like the first one with an embedding."""

from rich.console import Console
from rich.table import Table

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.services.search.context import Context
from unde_catalog.services.search.search_service import SearchQuery, SearchService
from unde_catalog.stores.staging.index import embeddings, models
from unde_catalog.stores.staging.index.product_filters import EVERYTHING
from unde_catalog.stores.staging.products import api_products
from unde_catalog.text import quantity

_FOUND = 5


def example_search(console: Console, backends: Backends, page: str) -> None:
    """Search as the API does, and print the URL below `page` that shows the same results with photos."""
    serving = backends.db.run(models.current).serving
    photos = backends.db.run(embeddings.page, serving, 0, 1) if serving else []
    if not photos:
        console.print("Search: no photo has an embedding yet, so there is nothing to find.")
        return
    external_id, brand = photos[0].external_id, photos[0].brand
    name = backends.db.run(api_products.by_ids, [photos[0].product_id])[photos[0].product_id].name or external_id
    response = SearchService(Context(backends)).similar(external_id, brand, None, SearchQuery(EVERYTHING, _FOUND, None))
    table = Table("score", "product", "price", "in stock at", title=f"Similar to {BRANDS[brand].name}: {name}")
    for one in response.results:
        named = BRANDS[one.product.product_metadata.brand].name
        price = f"{one.product.price} {one.product.currency}" if one.product.price is not None else ""
        table.add_row(f"{one.score:.2f}", f"{named}: {one.product.title}", price, quantity(len(one.in_stock), "store"))
    console.print(table)
    console.print(f"Model {response.model}, {response.took_ms.total:.0f} ms. With make up, see the photos at:")
    console.print(f"  {page}/?like={external_id}&of_brand={brand}", soft_wrap=True)
