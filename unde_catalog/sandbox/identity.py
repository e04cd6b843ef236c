"""Names and credentials of the sandbox's services (brands, Apify tasks, collections, tokens), and stable hashes.

HTTP does not belong here. Nothing is shared with the clients: these facts belong to the external services.
"""

import hashlib
from dataclasses import dataclass, fields

DEFAULT_PORT = 8790

BRAND_NAMES: dict[str, str] = {
    "zara": "Zara",
    "bershka": "Bershka",
    "pullandbear": "Pull&Bear",
    "stradivarius": "Stradivarius",
    "massimodutti": "Massimo Dutti",
    "oysho": "Oysho",
}

TASK_IDS: dict[str, str] = {
    "zara": "z1psVOTyIKFdU5N9n",
    "bershka": "bK4sndbxBershkaQ1",
    "pullandbear": "pB7sndbxPullBear2",
    "stradivarius": "sT2sndbxStradivR3",
    "massimodutti": "mD9sndbxMassimoD4",
    "oysho": "oY5sndbxOyshoTsk6",
}

XIMILAR_COLLECTIONS: dict[str, str] = {  # id -> kind, which is also the path prefix
    f"sandbox-{kind}": kind for kind in ("fashion-new", "fashion", "products-new", "photos", "custom")
}
XIMILAR_COLLECTION = "sandbox-fashion-new"

BAKAI_BUCKET = "bakai-images"
TELEGRAM_BOT_ID = 4096351827


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys that the services accept; the defaults are for sandboxes without a token of their own, as in tests."""

    apify: str = "sandbox-token"
    ximilar: str = "sandbox-ximilar-token"
    bakai_access: str = "sandbox-bakai-access"
    bakai_secret: str = "sandbox-bakai-secret"
    bakai_s3_access: str = "sandbox-bakai-s3-access"
    bakai_s3_secret: str = "sandbox-bakai-s3-secret"
    telegram: str = f"{TELEGRAM_BOT_ID}:sandbox-telegram-token"

    @classmethod
    def of_token(cls, token: str) -> "Credentials":
        """The keys of a sandbox with a token of its own: a key for each service, so that none can be mistaken."""
        keys = {one.name: f"{one.name.replace('_', '-')}-{token}" for one in fields(cls)}
        return cls(**{**keys, "telegram": f"{TELEGRAM_BOT_ID}:{token}"})


DEFAULT_CREDENTIALS = Credentials()

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def brand_of_task(task_id: str) -> str | None:
    """Returns the brand whose Apify task has this id, or None."""
    return next((brand for brand, known in TASK_IDS.items() if known == task_id), None)


def stable_int(*parts: object) -> int:
    """Returns 64 bits that depend only on the parts, unlike `hash()`, which differs between processes."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def stable_share(*parts: object) -> float:
    """Returns a number in [0, 1) that depends only on the parts."""
    return stable_int(*parts) / 2**64


def stable_id(*parts: object) -> str:
    """Returns an id in Apify's form: 17 letters and digits."""
    number = (stable_int("a", *parts) << 64) | stable_int("b", *parts)
    letters = []
    for _ in range(17):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
