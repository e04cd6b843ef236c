"""Where the project's own files are: `dagster.yaml` and `workspace.yaml`. No setting changes that."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def project_file(name: str) -> Path:
    """A file of the project's top level: inside the package where a wheel was installed, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
