"""Searches over HTTP, from a request to what somebody sees: by a photo, by words, by a product."""

import threading
from pathlib import Path

import pytest

from unde_catalog.services.search.middleware import access as gate
from unde_catalog.stores.staging.index import models
from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.served_api import Api, OpenApi
from unde_catalog_tests.support.toy_clip import write_toy_clip
from unde_catalog_tests.support.vector_rows import in_stock
from unde_catalog_tests.support.visual_index import PHOTOS


def ids(answer: object) -> list[int]:
    return [result["product"]["id"] for result in answer["results"]]  # type: ignore[index]


def shop(api: Api, store_id: int, name: str | None = None, brand: str = "zara") -> None:
    execute(api.place.db, "INSERT INTO raw_stores (brand, store_id, name) VALUES (%s, %s, %s)", brand, store_id, name)


def test_a_photo_finds_its_product_first_and_says_all_that_a_result_shows(api: Api) -> None:
    red = api.visual.add("blue", "red", price="129.5", name="Red dress")
    green = api.visual.add("green", price=80)
    shop(api, 7, "Mall of Dubai")
    in_stock(api.place.db, red, 7, ["S", "M"], "2026-01-01")
    api.visual.run()
    answer = api.by_image(PHOTOS["red"]).json()
    assert answer["model"] == "descriptor@1" and answer["answers_words"] is False
    assert answer["count"] == 2 and ids(answer) == [red, green]
    assert answer["score_meaning"][0] == {"at_least": 0.95, "same_garment": 0.91}
    assert set(answer["took_ms"]) == {"embed", "search", "enrich", "total"}
    first = answer["results"][0]
    assert first["score"] == pytest.approx(1, abs=0.001) and first["photo"] == 2
    assert first["photo_url"] == f"/images/{red}/image_2.jpg"
    assert first["product"]["title"] == "Red dress" and first["product"]["price"] == "129.50"
    assert first["product"]["image_url"] == f"/images/{red}/image_1.jpg"
    assert first["in_stock"] == [{"brand": "zara", "store_id": 7, "name": "Mall of Dubai", "sizes": ["S", "M"]}]
    assert answer["results"][1]["in_stock"] == []


def test_more_like_a_product_leaves_it_out_and_goes_by_the_photo_that_is_named(api: Api) -> None:
    both, red, blue = api.visual.add("red", "blue"), api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    assert ids(api.similar(1).json()) == [red, blue]
    assert ids(api.similar(1, n=2).json()) == [blue, red]
    assert ids(api.similar(2, top_k=1).json()) == [both]
    assert api.similar(1, n=3).json()["code"] == "not_embedded"
    assert api.similar("nothing").json()["code"] == "unknown_product"


def test_an_external_id_of_two_brands_wants_to_know_which(api: Api) -> None:
    zara, other = api.visual.add("red"), api.visual.add("green")
    execute(
        api.place.db, "INSERT INTO raw_products (source, external_id, brand, scraped_at) VALUES"
        " ('apify_oysho', '1', 'oysho', now())"
    )  # fmt: skip
    api.visual.run()
    answer = api.similar(1)
    assert answer.status_code == 409 and answer.json()["code"] == "ambiguous_product"
    assert answer.json()["brands"] == ["zara", "oysho"]
    assert ids(api.similar(1, of_brand="zara").json()) == [other]
    assert api.similar(1, of_brand="oysho").json()["code"] == "not_embedded"
    assert zara != other


def test_an_external_id_may_have_slashes_and_spaces_in_it(api: Api) -> None:
    product, other = api.visual.add("red"), api.visual.add("red")
    api.visual.set(product, external_id="dress/red 7%")
    api.visual.run()
    assert ids(api.similar("dress%2Fred%207%25").json()) == [other]


def test_filters_and_thresholds_hold_in_every_kind_of_search(api: Api) -> None:
    dress, coat = api.visual.add("red", price=50), api.visual.add("red", price=500, category="coat")
    api.visual.add("red", price=70, category="skirt")
    shop(api, 7)
    in_stock(api.place.db, coat, 7, ["M"], "2026-01-02")
    in_stock(api.place.db, dress, 7, ["M"], "2026-01-01")
    in_stock(api.place.db, dress, 7, [], "2026-01-02")
    api.visual.run()

    def both(**narrowed: object) -> list[int]:
        found = ids(api.by_image(PHOTOS["red"], **narrowed).json())
        # The third product goes by the same photo, and leaves itself out.
        assert sorted(ids(api.similar(3, **narrowed).json())) == sorted(set(found) & {dress, coat})
        return found

    assert both(category=["dress", "coat"]) == [dress, coat]
    assert both(price_to="50") == [dress]
    assert both(price_from="100.01", brand=["zara", "oysho"]) == [coat]
    assert both(brand="oysho") == []
    assert both(shop="zara:7") == [coat]
    assert both(shop="zara:8") == []
    assert ids(api.by_image(PHOTOS["green"], threshold="0.999").json()) == []


def test_words_are_refused_by_a_model_that_knows_none(api: Api) -> None:
    api.visual.add("red")
    api.visual.run()
    answer = api.post("/api/v1/search/by-text", json={"query": "red"})
    assert (answer.status_code, answer.json()["code"]) == (501, "words_need_clip")
    assert "descriptor@1" in answer.json()["detail"]
    assert api.get("/api/v1/filters").json()["answers_words"] is False


def test_words_find_what_they_say_where_clip_made_the_index(
    open_api: OpenApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    api = open_api(CLIP_MODEL_DIR=write_toy_clip(tmp_path / "clip"), EMBEDDING_MODEL="clip")
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    answer = api.post("/api/v1/search/by-text", json={"query": " blue ", "top_k": 1, "brands": ["zara"]}).json()
    assert answer["model"].startswith("clip@") and answer["answers_words"] is True
    assert ids(answer) == [blue]
    assert ids(api.by_image(PHOTOS["red"]).json()) == [red, blue]


def test_while_another_model_is_built_the_one_that_serves_answers_and_then_the_new_one(
    open_api: OpenApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    api = open_api()
    red = api.visual.add("red")
    api.visual.run()
    assert api.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"
    with monkeypatch.context() as patch:  # a worker with other settings builds another one
        patch.setenv("CLIP_MODEL_DIR", str(write_toy_clip(tmp_path / "clip")))
        patch.setenv("EMBEDDING_MODEL", "clip")
        clip = open_api()
        clip.place.db.run(models.begin, "clip@0")
        assert api.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"
        assert clip.by_image(PHOTOS["red"]).json()["model"] == "descriptor@1"  # whatever is set there
        clip.place.db.run(models.stop_building)
        execute(clip.place.db, "DELETE FROM embedding_models WHERE state = 'old'")
        clip.visual.run(force=True)
        clip.visual.again()
    (standing,) = execute(api.place.db, "SELECT model FROM embedding_models WHERE state = 'serving'")
    assert standing["model"].startswith("clip@")
    assert clip.by_image(PHOTOS["red"]).json()["model"] == standing["model"]
    assert ids(clip.by_image(PHOTOS["red"]).json()) == [red]
    answer = api.by_image(PHOTOS["red"])  # has no CLIP, and says so
    assert (answer.status_code, answer.json()["code"]) == (503, "model_missing")
    assert api.similar(1).json()["model"] == standing["model"]  # nothing is embedded for it


def test_before_anything_is_embedded_it_says_so(api: Api) -> None:
    add_products(api.place.db, 1)
    for answer in (api.by_image(PHOTOS["red"]), api.similar(1)):
        assert (answer.status_code, answer.json()["code"]) == (503, "nothing_embedded")
    told = api.get("/api/v1/filters").json()
    assert told["model"] is None and told["photos"] is None


def test_what_can_be_filtered_by_is_listed(open_api: OpenApi) -> None:
    api = open_api(DUBAI_OYSHO_STORES="31", PUBLISH_CURRENCIES="EUR,AED")
    api.visual.add("red", category="dress")
    api.visual.add("red", category="coat")
    api.visual.add("red", category="never", scope="off")
    api.visual.add("red", category="long " * 50)
    shop(api, 9, "  ")
    shop(api, 8, "City Mall")
    api.visual.run()
    told = api.get("/api/v1/filters").json()
    assert told["model"] == "descriptor@1" and told["photos"] == 3 and told["currency"] == "EUR"
    assert told["categories"] == ["coat", "dress"]
    assert {"key": "pullandbear", "name": "Pull&Bear"} in told["brands"]
    assert told["shops"] == [
        {"brand": "zara", "store_id": 8, "name": "City Mall"},
        {"brand": "zara", "store_id": 9, "name": "Zara 9"},
        {"brand": "oysho", "store_id": 31, "name": "Oysho 31"},
    ]


def test_a_product_that_is_deleted_while_it_is_found_is_left_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    vectors = api.app.state.context.vectors
    search = vectors.search

    def found_then_deleted(*asked: object, **more: object) -> object:
        hits = search(*asked, **more)
        execute(api.place.db, "DELETE FROM product_photos WHERE product_id = %s", blue)
        execute(api.place.db, "DELETE FROM raw_products WHERE id = %s", blue)
        return hits

    monkeypatch.setattr(vectors, "search", found_then_deleted)
    answer = api.by_image(PHOTOS["red"]).json()
    assert ids(answer) == [red] and answer["count"] == 1


def test_a_search_into_which_another_model_comes_is_done_again_by_that_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    red, blue = api.visual.add("red"), api.visual.add("blue")
    api.visual.run()
    vectors, db = api.app.state.context.vectors, api.place.db
    search, asked = vectors.search, []

    def then_another_model(model: str, *rest: object) -> object:
        asked.append(model)
        if len(asked) == 1:
            execute(db, "INSERT INTO embedding_models VALUES ('descriptor@2', 1, 'building', NULL, now(), NULL)")
            execute(db, "UPDATE product_embeddings SET model = 'descriptor@2', slot = 1")
            execute(db, "DELETE FROM embedding_models WHERE state = 'serving'")
            execute(db, "UPDATE embedding_models SET state = 'serving'")
        return search(model, *rest)

    monkeypatch.setattr(vectors, "search", then_another_model)
    answer = api.similar(1).json()
    assert asked == ["descriptor@1", "descriptor@2"]
    assert answer["model"] == "descriptor@2" and ids(answer) == [blue] and red != blue


def test_a_search_that_takes_too_long_is_given_up(open_api: OpenApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api = open_api(SEARCH_TIMEOUT="0.2")
    go_on = threading.Event()
    monkeypatch.setattr(api.app.state.searching.finder, "like", lambda *_: go_on.wait(60))
    answer = api.similar(1)
    assert (answer.status_code, answer.json()["code"]) == (503, "took_too_long")
    go_on.set()


def test_more_searches_at_once_than_can_be_answered_are_told_to_come_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_MOST_AT_ONCE", 1)
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(api.app.state.searching.finder, "like", lambda *_: begun.set() or go_on.wait(60))
    waiting = threading.Thread(target=lambda: api.similar(1))
    waiting.start()
    assert begun.wait(60)
    answer = api.get("/api/v1/filters")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy") and answer.headers["retry-after"] == "1"
    assert api.get("/api/v1/health").status_code == 200
    go_on.set()
    waiting.join()
