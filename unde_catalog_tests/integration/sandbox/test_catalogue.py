"""The products and photos that the sandbox serves: its own, those of a data folder, and those of a file."""

import gzip
import json
from pathlib import Path

import pytest

from unde_catalog_tests.support.sandbox_client import ZARA_TASK, SandboxClient, sandbox_client, task_of
from unde_catalog_tests.support.servers import REAL_DATA


def test_the_cdn_serves_photos_with_caching_headers_and_widths(default_sandbox: SandboxClient) -> None:
    run = default_sandbox.client().task(ZARA_TASK).call()
    assert run is not None
    item = default_sandbox.client().dataset(run.default_dataset_id).list_items().items[0]
    url = item["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "1920")
    path = url.removeprefix(f"http://127.0.0.1:{default_sandbox.port}")
    status, headers, body = default_sandbox.request("GET", path)
    assert (status, headers["content-type"], headers["content-length"]) == (200, "image/jpeg", str(len(body)))
    assert body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9")
    assert headers["last-modified"].endswith("GMT")
    assert default_sandbox.request("GET", path, headers={"If-None-Match": headers["etag"]})[0] == 304
    assert default_sandbox.request("HEAD", path)[1]["content-length"] == str(len(body))
    assert default_sandbox.request("GET", path.replace("-p.jpg", "-x9.jpg"))[0] == 404
    small = default_sandbox.request("GET", path.replace("w=1920", "w=200"))
    assert len(small[2]) < len(body)
    assert small[1]["etag"] != headers["etag"]


def test_control_changes_the_next_scrape_and_not_the_last_one(tmp_path: Path) -> None:
    with sandbox_client(tmp_path) as sandbox:
        before = sandbox.client().task(ZARA_TASK).call()
        assert before is not None
        old = sandbox.client().dataset(before.default_dataset_id).list_items().items
        cheap, gone, new_look = (str(item["id"]) for item in old[:3])
        order = {"brand": "zara", "price": {cheap: 5990}, "drop": [gone], "photos": {new_look: "v2"}}
        assert sandbox.request("POST", "/_control", json.dumps(order).encode())[0] == 200
        after = sandbox.client().task(ZARA_TASK).call()
        assert after is not None
        new = {str(i["id"]): i for i in sandbox.client().dataset(after.default_dataset_id).list_items().items}
        assert new[cheap]["price"] == 5990
        assert gone not in new and len(new) == 19
        old_url, new_url = (
            item["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "200") for item in (old[2], new[new_look])
        )
        base = f"http://127.0.0.1:{sandbox.port}"
        assert old_url != new_url
        assert (
            sandbox.request("GET", old_url.removeprefix(base))[2]
            != sandbox.request("GET", new_url.removeprefix(base))[2]
        )
        assert sandbox.client().dataset(before.default_dataset_id).list_items().items == old
        assert sandbox.request("POST", "/_control", b'{"brand": "zara", "prise": {}}')[0] == 400
        reset = sandbox.request("POST", "/_control", b'{"brand": "zara", "reset": true}')
        assert json.loads(reset[2]) == {"brand": "zara", "price": {}, "drop": [], "photos": {}}


def test_a_data_folder_is_served_unchanged(tmp_path: Path, data_folder: Path) -> None:
    with sandbox_client(tmp_path / "state", "--data", str(data_folder)) as sandbox:
        run, none = sandbox.client().task(ZARA_TASK).call(), sandbox.client().task(task_of("oysho")).call()
        assert run is not None and none is not None
        items = sandbox.api("GET", f"/v2/datasets/{run.default_dataset_id}/items")[2]
        assert items[1:] == ["not an object", {"no": "id"}, {"id": 8, "name": "café 😀"}]
        assert items[0]["price"] == "12,50"
        url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0]
        assert url == f"http://127.0.0.1:{sandbox.port}/photos/a b.png?ts=1&w={{width}}"
        assert list(sandbox.client().dataset(none.default_dataset_id).iterate_items()) == []
        status, headers, body = sandbox.request("GET", "/photos/a%20b.png?ts=1&w=1920")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert body == (data_folder / "photos/a b.png").read_bytes()
        assert sandbox.request("GET", "/photos/c.webp")[1]["content-type"] == "image/webp"
        assert [line["status"] for line in sandbox.log("photo")] == [200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/photos/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/photos/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/link.txt",
        "/photos/%00",
        "/photos",
        "/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_data_folder_is_served(folder_sandbox: SandboxClient, path: str) -> None:
    status, _, body = folder_sandbox.request("GET", path)
    assert status in (400, 404)
    assert b"secret" not in body and b"root:" not in body


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"there is no {REAL_DATA.name} folder beside the repository")
def test_the_real_data_folder_is_served(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, "--data", str(REAL_DATA)) as sandbox:
        for brand in ("zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho"):
            run = sandbox.client().task(task_of(brand)).call()
            assert run is not None
            items = list(sandbox.client().dataset(run.default_dataset_id).iterate_items())
            assert len(items) == len(json.loads((REAL_DATA / f"apify_items/{brand}.json").read_text()))
            url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "1920")
            status, headers, _ = sandbox.request("GET", url.removeprefix(f"http://127.0.0.1:{sandbox.port}"))
            assert status == 200
            assert headers["content-type"].startswith("image/")


def test_a_file_of_items_replaces_a_brand_and_its_photos_are_drawn(tmp_path: Path) -> None:
    item = {
        "id": 1,
        "colorsSizesImagesJSON": [
            {"xmedia": ["https://static.zara.net/a/13313620145-p/13313620145-p.jpg?ts=5&w={width}"]}
        ],
    }
    lines = tmp_path / "zara_large.jsonl.gz"
    lines.write_bytes(gzip.compress("\n".join(json.dumps({**item, "id": n}) for n in range(2500)).encode()))
    with sandbox_client(tmp_path / "state", "--items", f"zara={lines}") as sandbox:
        run = sandbox.client().task(ZARA_TASK).call()
        assert run is not None
        items = list(sandbox.client().dataset(run.default_dataset_id).iterate_items())
        assert [item["id"] for item in items] == list(range(2500))
        assert len(sandbox.log("apify.items")) == 4
        url = items[0]["colorsSizesImagesJSON"][0]["xmedia"][0].replace("{width}", "100")
        status, _, body = sandbox.request("GET", url.removeprefix(f"http://127.0.0.1:{sandbox.port}"))
        assert status == 200 and body.startswith(b"\xff\xd8")
