"""Searches over HTTP: by photo, by text and by product."""

import json
import threading
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from unde_catalog.services.search.middleware import access
from unde_catalog.stages.visual_index.qdrant import QdrantStore
from unde_catalog.stores.staging.index import models
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.toy_clip import write_toy_clip
from unde_catalog_tests.support.vector_rows import in_stock
from unde_catalog_tests.support.visual_index import PHOTOS


def ids(response: object) -> list[int]:
    return [result["product"]["id"] for result in response["results"]]  # type: ignore[index]


def add_store(api: Api, store_id: int, name: str | None = None, brand: str = "zara") -> None:
    execute(
        api.backends.db, "INSERT INTO raw_stores (brand, store_id, name) VALUES (%s, %s, %s)", brand, store_id, name
    )


def test_a_photo_finds_its_product_first_with_all_details(api: Api) -> None:
    red = api.visual.add("blue", "red", price="129.5", name="Red dress")
    green = api.visual.add("green", price=80)
    add_store(api, 7, "Mall of Dubai")
    in_stock(api.backends.db, red, 7, ["S", "M"], "2026-01-01")
    api.visual.run()
    response = api.by_image(PHOTOS["red"]).json()
    assert response["model"] == "descriptor@1" and response["answers_words"] is False
    assert response["count"] == 2 and ids(response) == [red, green]
    assert response["score_meaning"][0] == {"at_least": 0.95, "same_garment": 0.91}
    assert set(response["took_ms"]) == {"embed", "search", "enrich", "total"}
    first = response["results"][0]
    assert first["score"] == pytest.approx(1, abs=0.001) and first["photo"] == 2
    assert first["photo_url"] == f"{api.base}/images/zara_1/image_2.jpg"
    assert first["product"]["title"] == "Red dress" and first["product"]["price"] == "129.50"
    assert first["product"]["image_url"] == f"{api.base}/images/zara_1/image_1.jpg"
    assert first["in_stock"] == [{"brand": "zara", "store_id": 7, "name": "Mall of Dubai", "sizes": ["S", "M"]}]
    assert response["results"][1]["in_stock"] == []


def test_similar_products_by_a_given_photo_exclude_the_product(api: Api) -> None:
    both, red, blue = api.visual.add("red", "blue"), api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    assert ids(api.similar(1).json()) == [red, blue]
    assert ids(api.similar(1, n=2).json()) == [blue, red]
    assert ids(api.similar(2, top_k=1).json()) == [both]
    assert api.similar(1, n=3).json()["code"] == "not_embedded"
    assert api.similar("nothing").json()["code"] == "unknown_product"


def test_an_external_id_of_two_brands_needs_of_brand(api: Api) -> None:
    zara, other = api.visual.add("red"), api.visual.add("green")
    execute(
        api.backends.db, "INSERT INTO raw_products (source, external_id, brand, scraped_at) VALUES"
        " ('apify_oysho', '1', 'oysho', now())"
    )  # fmt: skip
    api.visual.run()
    response = api.similar(1)
    assert response.status_code == 409 and response.json()["code"] == "ambiguous_product"
    assert response.json()["brands"] == ["zara", "oysho"]
    assert ids(api.similar(1, of_brand="zara").json()) == [other]
    assert api.similar(1, of_brand="oysho").json()["code"] == "not_embedded"
    assert zara != other


def test_an_external_id_may_contain_slashes_and_spaces(api: Api) -> None:
    product, other = api.visual.add("red"), api.visual.add("red")
    api.visual.set(product, external_id="dress/red 7%")
    api.visual.run()
    assert ids(api.similar("dress%2Fred%207%25").json()) == [other]


def test_filters_and_thresholds_apply_to_every_kind_of_search(api: Api) -> None:
    dress, coat = api.visual.add("red", price=50), api.visual.add("red", price=500, category="coat")
    api.visual.add("red", price=70, category="skirt")
    add_store(api, 7)
    in_stock(api.backends.db, coat, 7, ["M"], "2026-01-02")
    in_stock(api.backends.db, dress, 7, ["M"], "2026-01-01")
    in_stock(api.backends.db, dress, 7, [], "2026-01-02")
    api.visual.run()

    def both(**filters: object) -> list[int]:
        found = ids(api.by_image(PHOTOS["red"], **filters).json())
        # The third product has the same photo, and is left out of its own results.
        assert sorted(ids(api.similar(3, **filters).json())) == sorted(set(found) & {dress, coat})
        return found

    assert both(category=["dress", "coat"]) == [dress, coat]
    assert both(price_to="50") == [dress]
    assert both(price_from="100.01", brand=["zara", "oysho"]) == [coat]
    assert both(brand="oysho") == []
    assert both(shop="zara:7") == [coat]
    assert both(shop="zara:8") == []
    assert ids(api.by_image(PHOTOS["green"], threshold="0.999").json()) == []


def test_text_needs_no_model_that_knows_words(api: Api) -> None:
    api.visual.add("red")
    api.visual.run()
    response = api.post("/api/v1/search/by-text", json={"query": "red"})
    assert response.status_code == 200 and response.json()["model"] is None
    assert api.get("/api/v1/filters").json()["answers_words"] is False


def test_text_search_with_clip(open_api: OpenApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    api = open_api(CLIP_MODEL_DIR=write_toy_clip(tmp_path / "clip"), EMBEDDING_MODEL="clip")
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    response = api.post("/api/v1/search/by-text", json={"query": " blue ", "top_k": 1, "brands": ["zara"]}).json()
    assert response["model"].startswith("clip@") and response["answers_words"] is True
    assert ids(response) == [blue]
    assert ids(api.by_image(PHOTOS["red"]).json()) == [red, blue]


def test_the_serving_model_answers_until_the_new_model_is_built(
    open_api: OpenApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    api = open_api()
    red = api.visual.add("red")
    api.visual.run()
    assert api.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"
    with monkeypatch.context() as patch:  # a worker with other settings builds another model
        patch.setenv("CLIP_MODEL_DIR", str(write_toy_clip(tmp_path / "clip")))
        patch.setenv("EMBEDDING_MODEL", "clip")
        clip = open_api()
        clip.backends.db.run(models.begin, "clip@0")
        assert api.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"
        assert clip.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"  # although CLIP is configured there
        clip.backends.db.run(models.stop_building)
        execute(clip.backends.db, "DELETE FROM embedding_models WHERE state = 'old'")
        clip.visual.run(force=True)
        clip.visual.retry()
    (serving,) = execute(api.backends.db, "SELECT model FROM embedding_models WHERE state = 'serving'")
    assert serving["model"].startswith("clip@")
    assert clip.by_image(PHOTOS["red"]).json()["model"] == serving["model"]
    assert ids(clip.by_image(PHOTOS["red"]).json()) == [red]
    response = api.by_image(PHOTOS["red"])  # this server has no CLIP
    assert (response.status_code, response.json()["code"]) == (503, "model_missing")
    assert api.similar(1).json()["model"] == serving["model"]  # needs no model: the embedding is stored


def test_an_empty_index_is_reported(api: Api) -> None:
    add_products(api.backends.db, 1)
    for response in (api.by_image(PHOTOS["red"]), api.similar(1)):
        assert (response.status_code, response.json()["code"]) == (503, "nothing_embedded")
    filters = api.get("/api/v1/filters").json()
    assert filters["model"] is None and filters["photos"] is None


def test_a_vector_store_that_lost_photos_is_reported(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api()
    monkeypatch.setattr("unde_catalog.services.search.routes.health._CACHE_SECONDS", 0)
    red, blue = api.visual.add("red", category="dress"), api.visual.add("blue", category="coat")
    api.visual.run()
    qdrant = QdrantStore(QdrantClient(":memory:"), api.backends.db)
    qdrant.rebuild("descriptor@1")
    monkeypatch.setattr(api.app.state.context, "_vectors", qdrant)
    assert ids(api.by_image(PHOTOS["red"], category="coat").json()) == [blue]
    assert ids(api.similar(1).json()) == [blue]
    while not api.get("/api/v1/health").json()["checks"]["vectors"]["ok"]:
        pass  # the check that the server started with, when nothing was embedded, is not done yet
    assert "unde_search_incomplete_total 0.0" in api.get("/metrics").text

    qdrant.delete([blue])
    assert [ids(api.by_image(PHOTOS["red"], **wanted).json()) for wanted in ({"category": "coat"}, {})] == [[], [red]]
    assert api.by_image(PHOTOS["red"], category="coat", threshold=0.99).json()["count"] == 0  # says nothing
    assert "unde_search_incomplete_total 2.0" in api.get("/metrics").text
    (line,) = [line for line in map(json.loads, api.lines) if line.get("code") == "vectors_incomplete"]
    assert "found 0 products, but the catalogue has at least 1;" in line["message"]
    qdrant.delete([red])
    health = api.get("/api/v1/health")
    assert (health.status_code, health.json()["checks"]["vectors"]["code"]) == (503, "vectors_incomplete")


def test_filter_values_are_listed(open_api: OpenApi) -> None:
    api = open_api(DUBAI_OYSHO_STORES="31", PUBLISH_CURRENCIES="EUR,AED")
    api.visual.add("red", category="dress")
    api.visual.add("red", category="coat")
    api.visual.add("red", category="never", scope="off")
    api.visual.add("red", category="long " * 50)
    add_store(api, 9, "  ")
    add_store(api, 8, "City Mall")
    api.visual.run()
    filters = api.get("/api/v1/filters").json()
    assert filters["model"] == "descriptor@1" and filters["photos"] == 3 and filters["currency"] == "EUR"
    assert filters["categories"] == ["coat", "dress"]
    assert {"key": "pullandbear", "name": "Pull&Bear"} in filters["brands"]
    assert filters["shops"] == [
        {"brand": "zara", "store_id": 8, "name": "City Mall"},
        {"brand": "zara", "store_id": 9, "name": "Zara 9"},
        {"brand": "oysho", "store_id": 31, "name": "Oysho 31"},
    ]


def test_a_product_deleted_during_the_search_is_left_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    vectors = api.app.state.context.vectors
    search = vectors.search

    def search_then_delete(*args: object, **kwargs: object) -> object:
        hits = search(*args, **kwargs)
        execute(api.backends.db, "DELETE FROM product_photos WHERE product_id = %s", blue)
        execute(api.backends.db, "DELETE FROM raw_products WHERE id = %s", blue)
        return hits

    monkeypatch.setattr(vectors, "search", search_then_delete)
    response = api.by_image(PHOTOS["red"]).json()
    assert ids(response) == [red] and response["count"] == 1


def test_a_search_is_repeated_if_the_model_changes_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    vectors, db = api.app.state.context.vectors, api.backends.db
    search, searched = vectors.search, []

    def replace_model_then_search(model: str, *rest: object) -> object:
        searched.append(model)
        if len(searched) == 1:
            execute(db, "INSERT INTO embedding_models VALUES ('descriptor@2', 1, 'building', NULL, now(), NULL)")
            execute(db, "UPDATE product_embeddings SET model = 'descriptor@2', slot = 1")
            execute(db, "DELETE FROM embedding_models WHERE state = 'serving'")
            execute(db, "UPDATE embedding_models SET state = 'serving'")
        return search(model, *rest)

    monkeypatch.setattr(vectors, "search", replace_model_then_search)
    response = api.similar(1).json()
    assert searched == ["descriptor@1", "descriptor@2"]
    assert response["model"] == "descriptor@2" and ids(response) == [blue] and red != blue


def test_a_search_that_takes_too_long_is_aborted(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api(SEARCH_TIMEOUT="0.2")
    release = threading.Event()
    monkeypatch.setattr(api.app.state.search_runner.service, "similar", lambda *_: release.wait(60))
    response = api.similar(1)
    assert (response.status_code, response.json()["code"]) == (503, "took_too_long")
    release.set()


def test_too_many_concurrent_requests_are_rejected(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_MAX_REQUESTS", 1)
    started, release = threading.Event(), threading.Event()
    monkeypatch.setattr(api.app.state.search_runner.service, "similar", lambda *_: started.set() or release.wait(60))
    waiting = threading.Thread(target=lambda: api.similar(1))
    waiting.start()
    assert started.wait(60)
    response = api.get("/api/v1/filters")
    assert (response.status_code, response.json()["code"]) == (503, "busy") and response.headers["retry-after"] == "1"
    assert api.get("/api/v1/health").status_code == 200
    release.set()
    waiting.join()
