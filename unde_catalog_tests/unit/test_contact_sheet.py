import base64
import io
import random
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from unde_catalog.stages.photos.contact_sheet import Sample, contact_sheet
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.stores.objects.objects import ObjectStore
from unde_catalog.worker.handler import StoredObject
from unde_catalog_tests.unit.drawn_photos import near, plain, saved

ORANGE = (230, 120, 20)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return directory_store(tmp_path / "objects")


def store_sample(store: ObjectStore, data: bytes | None, count: int, size: tuple[int, int], **names: str) -> Sample:
    """A sample of `count` objects with this data, or of missing objects if it is None."""
    sample = Sample()
    for number in range(1, count + 1):
        key = f"originals/zara/{number}/1.jpg"
        if data is not None:
            store.put(key, data, "image/jpeg")
        external_id = names.get("external_id", str(number))
        sample.add([StoredObject(external_id, 1, key, "0" * 64, *size, len(data or b""), None)])
    return sample


def picture(markdown: str | None) -> Image.Image:
    assert markdown is not None
    found = re.fullmatch(r"!\[[^\[\]]*\]\(data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found, markdown[:200]
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


@pytest.mark.parametrize(
    ("size", "count", "columns", "rows"),
    [
        ((192, 288), 24, 6, 4),  # photos: portrait
        ((1000, 300), 24, 3, 8),  # collages: wide
        ((4000, 200), 24, 2, 12),  # very wide
        ((192, 288), 4, 4, 1),
        ((192, 288), 1, 1, 1),
    ],
)
def test_thumbnails_are_placed_in_a_grid_that_suits_their_shape(
    store: ObjectStore, size: tuple[int, int], count: int, columns: int, rows: int
) -> None:
    sheet = picture(contact_sheet(store_sample(store, saved(plain(ORANGE, size)), count, size), store))
    for column in range(columns):
        for row in range(rows):
            middle = ((2 * column + 1) * sheet.width // (2 * columns), (2 * row + 1) * sheet.height // (2 * rows))
            assert near(sheet.getpixel(middle), ORANGE, 25), (column, row)
    assert sheet.width <= 720 and sheet.height <= 1000


@pytest.mark.parametrize("size", [(600, 900), (1800, 200)])
def test_a_sheet_of_noise_and_long_ids_stays_below_50_kb(store: ObjectStore, size: tuple[int, int]) -> None:
    noise = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    sample = store_sample(store, saved(noise), 24, size, external_id="long" * 25)
    markdown = contact_sheet(sample, store)
    assert markdown is not None and len(markdown) < 50_000
    assert min(picture(markdown).size) > 100


def test_a_missing_or_invalid_object_leaves_a_gap(store: ObjectStore) -> None:
    size = (200, 200)
    complete = saved(plain(ORANGE, size))
    sample = store_sample(store, complete, 5, size)
    store.delete(["originals/zara/1/1.jpg"])
    store.put("originals/zara/2/1.jpg", complete[: len(complete) // 2], "image/jpeg")
    store.put("originals/zara/3/1.jpg", b"<html>", "image/jpeg")
    store.put("originals/zara/4/1.jpg", b"", "image/jpeg")
    markdown = contact_sheet(sample, store)
    assert markdown is not None and "5 new, 4 unreadable" in markdown
    sheet = picture(markdown)
    colours = [sheet.getpixel(((2 * n + 1) * sheet.width // 10, sheet.height // 2)) for n in range(5)]
    assert near(colours[4], ORANGE, 20)
    assert all(near(colour, (228, 228, 228), 8) for colour in colours[:4])


def test_there_is_no_sheet_without_a_photo_to_show(store: ObjectStore, tmp_path: Path) -> None:
    assert contact_sheet(Sample(), store) is None
    assert contact_sheet(store_sample(store, None, 3, (10, 10)), store) is None
    sample = store_sample(store, saved(plain(ORANGE)), 3, (64, 64))
    (tmp_path / "objects").rename(tmp_path / "unmounted")
    assert contact_sheet(sample, store) is None


def test_an_id_cannot_end_the_alt_text(store: ObjectStore) -> None:
    odd = "a](http://evil.example/x) ![b|`<script>\n"
    markdown = contact_sheet(store_sample(store, saved(plain(ORANGE)), 2, (64, 64), external_id=odd), store)
    picture(markdown)
    assert markdown is not None and markdown.startswith("![2 new: a__http:__evil.example_x_ __b___script__ photo 1, ")


def numbered(count: int, sample: Sample) -> Sequence[int]:
    for number in range(count):
        sample.add([StoredObject(str(number), None, str(number), "", 1, 1, 1, None)])
    return [int(one.external_id) for one in sample.objects()]


@pytest.mark.parametrize("count", [0, 1, 23, 24, 25, 47, 48, 49, 1_000, 12_345])
def test_the_sample_is_spread_over_the_whole_run_and_bounded(count: int) -> None:
    sample = Sample()
    chosen = numbered(count, sample)
    assert len(chosen) == min(count, 24) and sample.seen == count
    assert chosen == sorted(set(chosen))
    gaps = [after - before for before, after in pairwise([*chosen, count])]
    assert max(gaps, default=0) <= 3 * count / 24 + 1
    assert len(sample._kept) < 48
