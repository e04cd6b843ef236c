"""The search at the end of the demo, without the demo."""

import io

from rich.console import Console

from unde_catalog.local.example_search import example_search
from unde_catalog_tests.support.search_api import Api


def test_the_example_search_prints_similar_products_and_a_url(api: Api) -> None:
    api.visual.add("red", name="Red dress", price=129.50)
    api.visual.add("red", name="Red shirt", price=99)
    output = io.StringIO()
    console = Console(file=output, width=120)
    example_search(console, api.backends, "http://127.0.0.1:8008")
    assert "no photo has an embedding yet" in output.getvalue()
    api.visual.run()
    example_search(console, api.backends, "http://127.0.0.1:8008")
    shown = output.getvalue()
    assert "Similar to Zara: Red dress" in shown
    assert "Zara: Red shirt" in shown and "0 stores" in shown
    assert "http://127.0.0.1:8008/?like=1&of_brand=zara" in shown
