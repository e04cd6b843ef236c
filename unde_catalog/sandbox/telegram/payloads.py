"""JSON bodies of the Bot API. HTTP and files do not belong here."""

from typing import Any

INVALID_ID = "Bad Request: invalid file_id"
UNAVAILABLE = "Bad Request: wrong file_id or the file is temporarily unavailable"
TOO_BIG = "Bad Request: file is too big"

_DESCRIPTIONS = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


def result_body(value: dict[str, Any]) -> dict[str, Any]:
    """Returns the body of a successful response."""
    return {"ok": True, "result": value}


def error_body(code: int, description: str = "", retry_after: int | None = None) -> dict[str, Any]:
    """Returns the body of an error response; `retry_after` is in seconds."""
    body: dict[str, Any] = {"ok": False, "error_code": code}
    if retry_after is not None:
        description = f"Too Many Requests: retry after {retry_after}"
        return body | {"description": description, "parameters": {"retry_after": retry_after}}
    default = _DESCRIPTIONS.get(code, "Internal Server Error" if code >= 500 else "Fault")
    return body | {"description": description or default}


def file(file_id: str, unique_id: str, size: int, path: str) -> dict[str, Any]:
    """Returns a `File`: the result of getFile."""
    return {"file_id": file_id, "file_unique_id": unique_id, "file_size": size, "file_path": path}


def user(bot_id: int) -> dict[str, Any]:
    """Returns the bot's `User`: the result of getMe."""
    return {
        "id": bot_id,
        "is_bot": True,
        "first_name": "Sandbox",
        "username": "sandbox_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }
