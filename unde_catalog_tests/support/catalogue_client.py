"""A client that edits products through the API, and a sender of signed webhooks."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.search_api import Api

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
    """Sends a write key, unless a call passes other headers."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.db: Database = api.backends.db
        self._key = api.key("write", "writer")

    def write(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request with the key. `If_Match=` sets the header If-Match."""
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api.request(method, path, json=body, headers={**self._key, **extra})

    def post(self, body: bytes) -> httpx.Response:
        """Post a product as raw bytes."""
        return self.api.post(PRODUCTS, content=body, headers={**self._key, "Content-Type": "application/json"})

    def add(self, **columns: Any) -> httpx.Response:
        """Post the coat with some fields changed."""
        return self.write("POST", PRODUCTS, {**COAT, **columns})

    def get(self, path: str) -> Any:
        """The JSON of a GET without a key."""
        response = self.api.get(path)
        assert response.status_code == 200, response.text
        return response.json()


def announce(
    api: Api, body: Any, secret: str, path: str = WEBHOOK, *, age: float = 0, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Send a webhook signed `age` seconds ago. `body`: JSON or bytes. `headers`: override the correct ones."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(time.time() - age))
    signed = {"X-Unde-Timestamp": timestamp, "X-Unde-Signature": signature(secret, timestamp, data)}
    return api.post(path, content=data, headers={**signed, **(headers or {})})


def signature(secret: str, timestamp: str, data: bytes) -> str:
    """A signature made from its specification, and not by the code under test."""
    return "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + data, hashlib.sha256).hexdigest()


def problem(response: httpx.Response) -> tuple[int, str]:
    """The status and code of a problem."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]
