"""CLIP through fastembed and ONNX Runtime, with a toy model in the layout of the real one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unde_catalog.backends import Backends
from unde_catalog.settings.search import EmbeddingChoice, SearchFields
from unde_catalog.stages.visual_index import clip
from unde_catalog.stages.visual_index.descriptor import Descriptor
from unde_catalog.stages.visual_index.model import ModelMissing, TextUnsupported
from unde_catalog.stages.visual_index.open_model import choose, open_model
from unde_catalog.stages.visual_index.open_store import open_store
from unde_catalog.stores.staging.index import models
from unde_catalog.stores.staging.index.models import Models
from unde_catalog_tests.support.toy_clip import write_toy_clip
from unde_catalog_tests.support.visual_index import VisualCatalogue


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_toy_clip(tmp_path / "clip")


def load(folder: Path) -> clip.Clip:
    return clip.load(folder, folder / "home", may_download=False)


def test_photos_and_texts_have_comparable_512_dimensional_unit_vectors(toy: Path) -> None:
    model = load(toy)
    photos = model.embed_images([Image.new("RGB", (300, 500), colour) for colour in ("red", "blue")])
    words = model.embed_texts(["blue", "red", "a red thing"])
    assert photos.shape == (2, 512) and words.shape == (3, 512) and photos.dtype == np.float32
    assert np.linalg.norm(np.concatenate([photos, words]), axis=1) == pytest.approx(1, abs=1e-5)
    assert (words @ photos.T).round(2).tolist() == [[0, 1], [1, 0], [1, 0]]


def test_the_model_name_distinguishes_versions_of_its_files(toy: Path, tmp_path: Path) -> None:
    name = load(toy).name
    assert name.startswith("clip@") and len(name) == len("clip@") + 12
    assert load(write_toy_clip(tmp_path / "same")).name == name
    assert load(write_toy_clip(tmp_path / "other", seed=1)).name != name
    config = toy / "vision" / "preprocessor_config.json"
    config.write_text(config.read_text().replace('"resample": 3', '"resample": 2'))
    assert load(toy).name != name  # photos are prepared differently


def test_missing_parts_are_reported_in_one_sentence_with_advice(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"CLIP_MODEL_DIR: .* has no vision/model.onnx; expected vision/ with"):
        load(tmp_path)
    with pytest.raises(
        ModelMissing, match=r"CLIP can't be downloaded \(.*\): put its files .* or set EMBEDDING_MODEL="
    ) as e:
        clip.load(None, tmp_path, may_download=True)
    assert "\n" not in str(e.value)
    with pytest.raises(ModelMissing, match="CLIP is not downloaded"):
        clip.load(None, tmp_path, may_download=False)
    (toy / "vision" / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelMissing, match="CLIP can't be read"):
        load(toy)


def test_without_the_text_model_photos_are_embedded_and_texts_refused(toy: Path) -> None:
    (toy / "text" / "model.onnx").unlink()
    model = load(toy)
    assert model.embed_images([Image.new("RGB", (64, 64), "red")]).shape == (1, 512)
    with pytest.raises(TextUnsupported, match="CLIP's text encoder can't be loaded"):
        model.embed_texts(["red"])


@pytest.mark.parametrize(
    ("setting", "standing", "available", "kind"),
    [
        ("auto", Models(), True, "clip"),
        ("auto", Models(), False, "descriptor"),
        ("auto", Models(serving="descriptor@1"), True, "descriptor"),
        ("auto", Models(serving="clip@1"), False, "clip"),
        ("auto", Models(serving="descriptor@1", building="clip@1"), False, "clip"),
        ("clip", Models(serving="descriptor@1"), False, "clip"),
        ("descriptor", Models(serving="clip@1"), True, "descriptor"),
    ],
)
def test_an_index_changes_its_model_only_if_configured(
    setting: EmbeddingChoice, standing: Models, available: bool, kind: str
) -> None:
    assert choose(setting, standing, available) == kind


def test_a_new_index_uses_clip_if_its_files_exist(toy: Path, tmp_path: Path) -> None:
    assert open_model(SearchFields(clip_model_dir=toy), tmp_path, Models()).name == load(toy).name
    assert open_model(SearchFields(), tmp_path, Models()).name == Descriptor.name


def test_the_stage_switches_to_clip_and_products_are_found_by_text(toy: Path, backends: Backends) -> None:
    visual = VisualCatalogue(backends)
    red, blue = visual.add("red", "red"), visual.add("blue")
    visual.run()
    backends.settings = backends.settings.model_copy(update={"embedding_model": "clip", "clip_model_dir": toy})
    model = load(toy)
    assert visual.run().note == f"embedded by {model.name}"
    assert backends.db.run(models.current) == Models(serving=model.name)
    store = open_store(backends)
    for word, first in (("red", red), ("blue", blue)):
        hits = store.search(model.name, model.embed_texts([word])[0].tolist())
        assert [hit.product_id for hit in hits][0] == first
