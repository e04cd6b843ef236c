"""Asking the sandbox's Ximilar over plain HTTP, for the tests of its answers and of its faults."""

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


def named(*ids: str) -> dict[str, Any]:
    return {"records": [{"_id": id_} for id_ in ids]}


@dataclass(slots=True)
class Ximilar:
    """A client that believes nothing: HTTP status and body as they came."""

    sandbox: Sandbox
    prefix: str = PREFIX
    collection: str | None = COLLECTION
    token: str = TOKEN

    def post(self, method: str, body: Any = None, timeout: float = 10, **headers: str) -> tuple[int, dict[str, Any]]:
        sent = {"Authorization": f"Token {self.token}", **headers}
        if self.collection is not None:
            sent["collection-id"] = self.collection
        url = f"{self.sandbox.url}{self.prefix}{method}"
        answer = requests.post(url, json=body, headers=sent, timeout=timeout)
        return answer.status_code, answer.json()

    def code(self, method: str, body: Any = None) -> int:
        return self.post(method, body)[1]["status"]["code"]

    def insert(self, *records: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
        return self.post("insert", {"records": records, **more})

    def ids(self) -> list[str]:
        return [one["_id"] for one in self.post("allRecords", {})[1]["answer_records"]]

    def bought(self) -> list[tuple[list[str], int]]:
        """What the log tells of every insert that was carried out: the ids that went in, and the bill."""
        return [(line["inserted"], line["billed"]) for line in self.sandbox.log("ximilar.insert") if "billed" in line]
