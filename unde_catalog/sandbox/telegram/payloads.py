"""What the Bot API's JSON looks like (spec 6). Nothing about HTTP or files."""

from typing import Any

WRONG_ID = "Bad Request: invalid file_id"
UNAVAILABLE = "Bad Request: wrong file_id or the file is temporarily unavailable"
TOO_BIG = "Bad Request: file is too big"

_WORDS = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


def result(value: dict[str, Any]) -> dict[str, Any]:
    """An answer that brings something."""
    return {"ok": True, "result": value}


def error(code: int, description: str = "", retry_after: int | None = None) -> dict[str, Any]:
    """An answer that brings nothing; a 429 says for how many seconds."""
    said: dict[str, Any] = {"ok": False, "error_code": code}
    if retry_after is not None:
        description = f"Too Many Requests: retry after {retry_after}"
        return said | {"description": description, "parameters": {"retry_after": retry_after}}
    return said | {"description": description or _WORDS.get(code, "Internal Server Error" if code >= 500 else "Fault")}


def file(file_id: str, unique_id: str, size: int, path: str) -> dict[str, Any]:
    """Where a file can be had."""
    return {"file_id": file_id, "file_unique_id": unique_id, "file_size": size, "file_path": path}


def me(bot_id: int) -> dict[str, Any]:
    """Who the bot is."""
    return {
        "id": bot_id,
        "is_bot": True,
        "first_name": "Sandbox",
        "username": "sandbox_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }
