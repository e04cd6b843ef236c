"""Secrets in files: for a secret setting NAME, NAME_FILE names a file with its value, as Docker and systemd offer them.

Read by `environment.py`. Nothing here shows a value or a path, as anything can stand in the wrong variable.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

SUFFIX = "_FILE"


class SecretFilesError(ValueError):
    """Files that cannot be used; each line names a variable and what is wrong."""


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting's value may stand in a file."""
    return "SecretStr" in str(field.annotation)


def from_secret_files(model: type[BaseModel], variables: Mapping[str, str | None]) -> dict[str, Any]:
    """The values of the model's secrets that are in files, by the names that its constructor takes.

    `variables`: the environment. `SecretFilesError` for a file that cannot be read, and if NAME is set as well.
    """
    by_name = {name.upper(): value for name, value in variables.items() if value}
    found, wrong = {}, []
    for name, field in model.model_fields.items():
        key = str(field.validation_alias or name)
        variable = key.upper()
        path = by_name.get(variable + SUFFIX) if is_secret(field) else None
        if path is None:
            continue
        if variable in by_name:
            wrong.append(f"{variable} and {variable}{SUFFIX} are both set: remove one of them")
            continue
        try:
            found[key] = _content(Path(path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            wrong.append(f"{variable}{SUFFIX}: the file cannot be used ({reason})")
    if wrong:
        raise SecretFilesError("\n".join(wrong))
    return found


def _content(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip("\r\n")  # editors and echo end a file with a line break
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text:
        raise ValueError("it is empty")
    return text
