"""Searches by words over HTTP, in the texts of products."""

from pathlib import Path
from typing import Any

import pytest

from unde_catalog_tests.support.due import add_products, execute
from unde_catalog_tests.support.search_api import Api, OpenApi
from unde_catalog_tests.support.toy_clip import write_toy_clip
from unde_catalog_tests.support.vector_rows import in_stock


def add(api: Api, name: str, **columns: Any) -> int:
    number = len(execute(api.backends.db, "SELECT 1 FROM raw_products")) + 1
    return add_products(api.backends.db, 1, first=number, name=name, **columns)[0]


def search(api: Api, query: str, **options: Any) -> dict[str, Any]:
    response = api.post("/api/v1/search/by-text", json={"query": query, **options})
    assert response.status_code == 200, response.text
    return response.json()


def ids(response: dict[str, Any]) -> list[int]:
    return [result["product"]["id"] for result in response["results"]]


def test_products_with_all_words_come_first_and_never_another_garment(api: Api) -> None:
    red = add(api, "LINEN MIDI DRESS", colour="Red")
    green = add(api, "SATIN DRESS", colour="Green")
    add(api, "RED LINEN SHIRT")
    response = search(api, "red linen dresses")
    assert ids(response) == [red, green] and (response["count"], response["total"]) == (2, 1)
    first, second = response["results"]
    assert (first["found_by"], first["score"], first["missing"]) == (["words"], None, [])
    assert second["missing"] == ["red", "linen"]
    assert [(term["text"], term["kind"]) for term in response["read_as"]] == [
        ("red", "colours"), ("linen", "materials"), ("dresses", "garments")
    ]  # fmt: skip


def test_a_name_counts_more_than_a_description(api: Api) -> None:
    mentioned = add(api, "LEATHER BELT", description="Goes with any dress.")
    named = add(api, "SHIRT DRESS")
    assert ids(search(api, "dress")) == [named, mentioned]


def test_a_t_shirt_is_no_shirt(api: Api) -> None:
    tee, shirt = add(api, "PRINT T-SHIRT"), add(api, "POPLIN SHIRT")
    assert ids(search(api, "shirt")) == [shirt]
    assert ids(search(api, "t shirt")) == ids(search(api, "футболка")) == ids(search(api, "tee")) == [tee]


def test_russian_words_find_products_in_english_and_the_other_way_round(api: Api) -> None:
    english, russian = add(api, "SUEDE TRAINERS", colour="White"), add(api, "Белые кроссовки из кожи")
    assert set(ids(search(api, "белые кроссовки"))) == {english, russian}
    assert set(ids(search(api, "white sneakers"))) == {english, russian}


def test_the_spelling_is_corrected_and_that_is_told(api: Api) -> None:
    blouse = add(api, "RUFFLED BLOUSE")
    response = search(api, "rufled blouze")
    assert ids(response) == [blouse] and response["searched_for"] == "ruffled blouse"
    assert [term["instead_of"] for term in response["read_as"]] == ["rufled", "blouze"]
    assert search(api, "ruffled blouse")["searched_for"] is None


def test_article_numbers_find_their_product(api: Api) -> None:
    add(api, "HAT")
    coat = add(api, "COAT", raw_data={"reference": "39798113-V2026"})
    assert ids(search(api, "39798113")) == ids(search(api, "39798113-V2026")) == [coat]
    assert ids(search(api, "2")) == [coat]  # its external id


def test_compositions_are_searched_word_by_word(api: Api) -> None:
    shirt = add(api, "SHIRT", composition='{"material": "SHELL63% viscose26% lyocellDETAILS95% cotton"}')
    assert ids(search(api, "viscose")) == ids(search(api, "cotton")) == ids(search(api, "lyocell shirt")) == [shirt]
    assert search(api, "material")["count"] == 0


def test_filters_apply_to_words(api: Api) -> None:
    cheap = add(api, "DRESS", price=50, category="dresses")
    dear = add(api, "DRESS", price=500, category="gowns")
    in_stock(api.backends.db, dear, 7, ["S"], "2026-01-01")
    assert ids(search(api, "dress", price_to=100)) == [cheap]
    assert ids(search(api, "dress", categories=["gowns"])) == [dear]
    assert ids(search(api, "dress", shop="zara:7")) == [dear]
    assert ids(search(api, "dress", brands=["oysho"])) == []


def test_words_follow_each_change_of_a_product(api: Api) -> None:
    product = add(api, "DRESS")
    execute(api.backends.db, "UPDATE raw_products SET name = 'SKIRT' WHERE id = %s", product)
    assert (ids(search(api, "dress")), ids(search(api, "skirt"))) == ([], [product])
    execute(api.backends.db, "UPDATE raw_products SET active = false WHERE id = %s", product)
    assert ids(search(api, "skirt")) == []
    execute(api.backends.db, "UPDATE raw_products SET active = true WHERE id = %s", product)
    assert ids(search(api, "skirt")) == [product]


def test_a_change_of_price_writes_no_words(api: Api) -> None:
    product = add(api, "DRESS")
    before = execute(api.backends.db, "SELECT xmin FROM product_words")
    execute(api.backends.db, "UPDATE raw_products SET price = 5 WHERE id = %s", product)
    assert execute(api.backends.db, "SELECT xmin FROM product_words") == before


@pytest.mark.parametrize("query", ["the", "' OR 1=1 --", "a & b | !c <-> (d", "\\", "🙂", ":*", "dress'); DROP x"])
def test_no_text_breaks_a_search(api: Api, query: str) -> None:
    add(api, "DRESS")
    assert search(api, query)["count"] in (0, 1)


def test_words_left_out_are_told(api: Api) -> None:
    add(api, "DRESS")
    assert search(api, "looking for the dress")["left_out"] == ["looking", "for", "the"]


def test_words_find_products_while_the_index_is_empty(api: Api) -> None:
    dress = add(api, "DRESS")
    response = search(api, "dress")
    assert ids(response) == [dress] and response["model"] is None
    assert response["results"][0]["photo_url"] == response["results"][0]["product"]["image_url"]


def test_a_model_that_knows_words_adds_what_only_photos_show(
    open_api: OpenApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    api = open_api(CLIP_MODEL_DIR=write_toy_clip(tmp_path / "clip"), EMBEDDING_MODEL="clip")
    shown = api.visual.add("blue", name="DRESS")
    named = api.visual.add("red", name="BLUE DRESS")
    api.visual.run()
    response = search(api, "blue")
    assert response["model"].startswith("clip@")
    found_by = {result["product"]["id"]: result["found_by"] for result in response["results"]}
    assert "words" in found_by[named] and found_by[shown] == ["photo"]
    assert response["results"][0]["product"]["id"] == named


def test_a_dictionary_of_ones_own_is_used(open_api: OpenApi, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("[garments]\ndress, mekko\n", encoding="utf-8")
    api = open_api(SEARCH_DICTIONARY=str(tmp_path / "mine.txt"))
    dress = add(api, "DRESS")
    assert ids(search(api, "mekko")) == [dress]
    assert ids(search(api, "платье")) == []
