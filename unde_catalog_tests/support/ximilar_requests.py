"""Requests to the sandbox's Ximilar over plain HTTP, for tests of its responses and faults."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import requests
from PIL import Image

from unde_catalog_tests.support.servers import Sandbox

PREFIX = "/similarity/fashion-new/v2/"
COLLECTION = "sandbox-fashion-new"
TOKEN = "sandbox-ximilar-token"


def picture(colour: str = "red", kind: str = "JPEG") -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (400, 600), colour).save(body, kind)
    return body.getvalue()


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def record(id_: str, colour: str = "red", **fields: Any) -> dict[str, Any]:
    return {"_id": id_, "_base64": encoded(picture(colour)), **fields}


def records_of(*ids: str) -> dict[str, Any]:
    return {"records": [{"_id": id_} for id_ in ids]}


@dataclass(slots=True)
class Ximilar:
    """A client that returns HTTP status and body as received."""

    sandbox: Sandbox
    prefix: str = PREFIX
    collection: str | None = COLLECTION
    token: str = TOKEN

    def post(self, method: str, body: Any = None, timeout: float = 10, **headers: str) -> tuple[int, dict[str, Any]]:
        all_headers = {"Authorization": f"Token {self.token}", **headers}
        if self.collection is not None:
            all_headers["collection-id"] = self.collection
        url = f"{self.sandbox.url}{self.prefix}{method}"
        response = requests.post(url, json=body, headers=all_headers, timeout=timeout)
        return response.status_code, response.json()

    def code(self, method: str, body: Any = None) -> int:
        return self.post(method, body)[1]["status"]["code"]

    def insert(self, *records: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
        return self.post("insert", {"records": records, **more})

    def ids(self) -> list[str]:
        return [one["_id"] for one in self.post("allRecords", {})[1]["answer_records"]]

    def billed_inserts(self) -> list[tuple[list[str], int]]:
        """The executed inserts of the log: the inserted ids and the number of billed records."""
        return [(line["inserted"], line["billed"]) for line in self.sandbox.log("ximilar.insert") if "billed" in line]
