"""Where the project is: its own files `dagster.yaml` and `workspace.yaml`, and the folder of `.env` and `.unde`.

No setting changes that.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None  # None: an installed wheel


def project_file(name: str) -> Path:
    """A file of the project's top level: inside the package where a wheel was installed, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name


def project_folder() -> Path:
    """The folder of `.env` and `.unde`, found like a git repository.

    It is where one stands, if that has a `.env`; else the nearest folder above with a `.unde`, or the checkout of this
    program, which is also the project for those who stand anywhere else. A wheel has no checkout: where one stands.
    """
    here = Path.cwd()
    if (here / ".env").is_file():
        return here
    for folder in (here, *here.parents):
        if (folder / ".unde").is_dir() or folder == _CHECKOUT:
            return folder
    return _CHECKOUT or here
