"""A client that writes products over a running API, and a source that signs what it announces."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.served_api import Api

PRODUCTS = "/api/v1/products"
WEBHOOK = "/api/v1/webhooks/products/zara"

COAT: dict[str, Any] = {
    "external_id": "coat-1", "brand": "zara", "title": "Coat", "category": "coats", "price": "129.00",
    "image_urls": ["https://static.zara.net/1.jpg", "https://static.zara.net/2.jpg"],
}  # fmt: skip
EDIT: dict[str, Any] = {
    "title": "Long coat", "description": "Of wool", "category": "coats", "price": "129.00", "currency": "AED",
    "colour": "grey", "sizes": ["S", "M"], "composition": "wool",
    "image_urls": ["https://static.zara.net/1.jpg", "https://static.zara.net/2.jpg"],
}  # fmt: skip


class CatalogueClient:
    """Asks with a key that may write, unless other headers are given for it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.db: Database = api.place.db
        self._key = api.key("write", "writer")

    def write(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request with the key; `If_Match=` is the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api.request(method, path, json=body, headers={**self._key, **named})

    def post(self, body: bytes) -> httpx.Response:
        """Post these very bytes as a product."""
        return self.api.post(PRODUCTS, content=body, headers={**self._key, "Content-Type": "application/json"})

    def add(self, **columns: Any) -> httpx.Response:
        """Post the coat, with other values."""
        return self.write("POST", PRODUCTS, {**COAT, **columns})

    def get(self, path: str) -> Any:
        """What a GET without a key brings, as JSON."""
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def announce(
    api: Api, body: Any, secret: str, path: str = WEBHOOK, *, age: float = 0, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """A webhook signed so many seconds ago; `body` is JSON's or bytes, `headers` are in place of the right ones."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    moment = str(int(time.time() - age))
    signed = {"X-Unde-Timestamp": moment, "X-Unde-Signature": signature(secret, moment, data)}
    return api.post(path, content=data, headers={**signed, **(headers or {})})


def signature(secret: str, moment: str, data: bytes) -> str:
    """As its description says it is made, not by the code that checks it."""
    return "v1=" + hmac.new(secret.encode(), f"{moment}.".encode() + data, hashlib.sha256).hexdigest()


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]
