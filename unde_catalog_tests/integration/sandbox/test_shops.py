"""The sandbox's shops: the finder, the four response shapes, and the stock that they have in common."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from unde_catalog_tests.support.servers import running_sandbox
from unde_catalog_tests.support.stock_requests import BRANDS, NOON, Shops, distances


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    with running_sandbox(tmp_path_factory.mktemp("state")) as sandbox:
        yield Shops(sandbox)


@pytest.fixture
def shops(running: Shops) -> Shops:
    """The shops at noon, without overrides, faults or logged requests."""
    empty: dict[str, list[str]] = {brand: [] for brand in BRANDS}
    running.sandbox.control(shops={"now": NOON, "sold_out": empty, "withhold": empty}, faults="")
    requests.delete(f"{running.sandbox.url}/_log", timeout=10)
    return running


@pytest.mark.parametrize("brand", BRANDS)
def test_the_finder_lists_configured_shops_a_new_one_and_other_cities(shops: Shops, brand: str) -> None:
    found = shops.found(brand)
    assert 6 <= len(found) <= 9
    assert distances(found) == sorted(distances(found)), "shops are not sorted by distance"
    for shop in found:
        assert isinstance(shop["id"], str) and shop["countryCode"] == "AE" and len(shop["addressLines"]) == 2
        assert ("name" in shop) == (brand != "zara")
    dubai = {shop["id"] for shop in found if shop["city"] == "Dubai"}
    assert len(dubai - set(shops.configured(brand))) == 1
    assert set(shops.configured(brand)) < dubai
    assert {shop["city"] for shop in found} - {"Dubai"}, "no shop is in another city"


def test_the_finder_respects_location_radius_and_country(shops: Shops) -> None:
    assert len(shops.found("zara", radioMax="12")) < len(shops.found("zara"))
    assert shops.found("zara", countryCode="ES") == []
    assert shops.found("zara", latitude="-40") == []


@pytest.mark.parametrize("brand", BRANDS)
def test_the_four_shapes_return_the_same_stock(shops: Shops, brand: str) -> None:
    truth = shops.truth(brand)
    items = shops.items(brand)
    assert list(truth) == [str(item["id"]) for item in items]
    ids = shops.all_ids(brand)
    for item in items:
        expected = truth[str(item["id"])]
        assert list(expected) == sorted(expected) and set(expected) == set(ids)
        for read in (shops.by_part, shops.by_item, shops.by_skus, shops.by_colour):
            found = read(brand, item, ids)
            assert {shop: sorted(found.get(shop, ())) for shop in ids} == {
                shop: sorted(sizes) for shop, sizes in expected.items()
            }, read.__name__
    assert any(not sizes for shop in truth.values() for sizes in shop.values())


def test_shape_a_has_numeric_sizes_and_omits_shops_without_stock(shops: Shops) -> None:
    jeans = shops.named("zara", "HIGH-RISE STRAIGHT JEANS")
    stocks = shops.part("zara", jeans, jeans["colorsSizesImagesJSON"][0], shops.all_ids("zara"))["stocks"]
    assert stocks and all(stock["sizeStocks"] for stock in stocks)
    sizes = [size for stock in stocks for size in stock["sizeStocks"]]
    assert {size["size"] for size in sizes} <= {34, 36, 38, 40, 42}
    assert [size["sizeId"] for size in sizes] == list(range(1, len(sizes) + 1))
    assert all(size["quantity"] >= 1 for size in sizes)
    blazer = shops.named("zara", "FLUID TAILORED BLAZER")
    [stock] = shops.part("zara", blazer, blazer["colorsSizesImagesJSON"][0], shops.all_ids("zara")[:1])["stocks"]
    assert {size["size"] for size in stock["sizeStocks"]} <= {"XS", "S", "M", "L", "XL"}


def test_shape_a_is_empty_for_unknown_products(shops: Shops) -> None:
    item = shops.items("bershka")[0]
    digits = item["reference"][:8] + item["colorsSizesImagesJSON"][0]["id"]
    for path in (f"V2025/product/part-number/{digits}", "V2026/product/part-number/00000000000"):
        response = shops.get("bershka", f"/common/1/stock/campaign/{path}", physicalStoreId=shops.all_ids("bershka"))
        assert (response.status_code, response.json()) == (200, {"stocks": []})


def test_shape_b_respects_the_requested_sizes_and_accepts_commas(shops: Shops) -> None:
    item, ids = shops.items("zara")[0], shops.all_ids("zara")
    whole = shops.sizes("zara", item, physicalStoreIds=ids)
    assert whole["productId"] == item["id"]
    assert shops.sizes("zara", item, physicalStoreIds=",".join(ids)) == whole
    some = shops.sizes("zara", item, physicalStoreIds=ids, sizeIds=["S,M"])
    named = {size["size"] for shop in some["sizesAvailableByPhysicalStores"] for size in shop["sizesAvailability"]}
    assert named <= {"S", "M"} and named
    assert all(
        size["sizeId"] == size["size"] and size["stock"] > 0
        for shop in whole["sizesAvailableByPhysicalStores"]
        for size in shop["sizesAvailability"]
    )


def test_shape_c_includes_a_stock_of_0_and_omits_unknown_skus(shops: Shops) -> None:
    item, [shop, *_] = shops.items("oysho")[0], shops.all_ids("oysho")
    sizes = item["colorsSizesImagesJSON"][0]["sizes"]
    response = shops.skus("oysho", [int(shop), 1], [*(size["sku"] for size in sizes), 5])
    assert list(response) == [shop]
    assert {sku: stock["size"] for sku, stock in response[shop].items()} == {
        str(one["sku"]): one["name"] for one in sizes
    }
    assert 0 in {stock["stock"] for other in shops.all_ids("oysho") for stock in shops.every_sku("oysho", item, other)}


def test_shape_d_accepts_only_the_brands_app(shops: Shops) -> None:
    for brand, agent, status in (
        ("zara", "ZaraApp/15.10.0", 200),
        ("zara", "Mozilla/5.0 ZaraApp/15.10.0", 403),
        ("zara", "BershkaApp/15", 403),
        ("zara", "", 403),
        ("bershka", "Mozilla/5.0 BershkaApp/15", 200),
        ("bershka", "curl/8", 403),
    ):
        colour = shops.items(brand)[0]["colorsSizesImagesJSON"][0]
        query = {"productId": colour["productId"], "physicalStoreIds": shops.all_ids(brand), "ajax": "true"}
        response = shops.get(brand, "/ae/en/store-product-availability", agent=agent, **query)
        assert response.status_code == status, (brand, agent)


STORE = "/api/storefront/1/stores/1"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/itxrest/2/bam/store/1/physical-store", {"latitude": "25", "appId": "1", "radioMax": "9"}, 400),
        ("/itxrest/2/bam/store/1/physical-store", {"latitude": "x", "longitude": "5", "appId": 1, "radioMax": 9}, 400),
        ("/itxrest/2/bam/store/1/physical-store", {"latitude": 99, "longitude": "5", "appId": 1, "radioMax": 9}, 400),
        ("/common/1/stock/campaign/V2026/product/part-number/1", {}, 400),
        ("/common/1/stock/campaign/V2026/product/part-number/1", {"physicalStoreId": "1,2"}, 400),
        (f"{STORE}/products/1/available-sizes", {"physicalStoreIds": "1"}, 400),
        (f"{STORE}/products/1/available-sizes", {"appId": "1", "physicalStoreIds": ""}, 400),
        (f"{STORE}/products/1/available-sizes", {"appId": "1", "physicalStoreIds": "1"}, 404),
        ("/ae/en/store-product-availability", {"productId": "1", "physicalStoreIds": "1"}, 400),
        ("/ae/en/store-product-availability", {"productId": "x", "physicalStoreIds": "1", "ajax": "true"}, 400),
        ("/ae/en/store-product-availability", {"productId": "1", "physicalStoreIds": "1", "ajax": "true"}, 404),
        ("/somewhere/else", {}, 404),
    ],
)
def test_a_wrong_request_and_an_unknown_product_are_refused_in_json(
    shops: Shops, path: str, query: dict[str, Any], status: int
) -> None:
    response = shops.get("zara", path, **query)
    assert response.status_code == status
    assert response.json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"physicalStoreIds": [1]}', b'{"physicalStoreIds": ["1"], "skus": [1]}',
     b'{"physicalStoreIds": [1], "skus": []}', b'{"physicalStoreIds": [true], "skus": [1]}'],
)  # fmt: skip
def test_shape_c_refuses_an_invalid_body(shops: Shops, body: bytes) -> None:
    url = f"{shops.url}/shops/zara{STORE}/skus-availability-in-stores/actions/filter"
    response = requests.post(url, data=body, timeout=10)
    assert response.status_code == 400 and response.json()["error"]


def test_unknown_brands_and_shops_have_no_stock(shops: Shops) -> None:
    assert (
        shops.get("mango", "/common/1/stock/campaign/V/product/part-number/1", physicalStoreId="1").status_code == 404
    )
    assert requests.get(f"{shops.url}/_stock?brand=mango", timeout=10).status_code == 400
    item = shops.items("zara")[0]
    others = shops.all_ids("bershka")
    assert shops.by_item("zara", item, others) == shops.by_skus("zara", item, others) == {}
