"""The layers of the package: each imports only from those below it, and what each may know."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import unde_catalog

PACKAGE = Path(unde_catalog.__file__).parent
# From top to bottom, as docs/architecture.md describes them. Packages on one line do not import each other.
LAYERS = (
    ("cli",),
    ("local",),
    ("definitions",),
    ("defs",),
    ("operations",),
    ("services",),
    ("stages",),
    ("worker",),
    ("backends",),
    ("stores",),
    ("net", "settings"),
    ("stage_specs",),
    ("brands", "text"),
    ("sandbox",),
)
DAGSTER = ("cli", "local", "definitions", "defs", "operations.doctor")


def _imports(file: Path) -> Iterator[str]:
    """Everything that a file imports by absolute name, also inside its functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file} has a relative import"
            if node.module == "unde_catalog":
                yield from (f"unde_catalog.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _files() -> Iterator[tuple[str, Path]]:
    """The dotted name below the package, and the file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name and "versions" not in parts:
            yield name, file


def test_every_layer_imports_only_from_layers_below_it() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong, seen = [], set()
    for name, file in _files():
        layer = name.split(".")[0]
        seen.add(layer)
        for imported in _imports(file):
            other = imported.split(".")[1] if imported.startswith("unde_catalog.") else layer
            if other != layer and level[other] <= level[layer]:
                wrong.append(f"{name} imports {imported}")
    assert wrong == []
    assert seen <= set(level), "LAYERS leaves a package out"


def test_the_documentation_names_the_layers_in_this_order() -> None:
    table = (PACKAGE.parent / "docs" / "architecture.md").read_text().partition("| package |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert [tuple(re.findall(r"`([a-z_]+)(?:/|\.py)`", cell)) for cell in cells] == list(LAYERS)


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    packages = {str(init.parent.relative_to(PACKAGE)).replace("/", ".") for init in PACKAGE.rglob("__init__.py")}

    def package_of(name: str) -> str:
        """`stages.photos` for what is in it, `net` for what has no packages inside, else the module itself."""
        top, _, rest = name.partition(".")
        inner = f"{top}.{rest.partition('.')[0]}"
        if inner in packages:
            return inner
        return inner if any(one.startswith(f"{top}.") for one in packages) else top

    below: dict[str, set[str]] = {}
    for name, file in _files():
        if name.split(".")[0] == "sandbox":  # its server mounts all of its parts, and they share its faults
            continue
        below.setdefault(package_of(name), set()).update(
            package_of(imported.removeprefix("unde_catalog."))
            for imported in _imports(file)
            if imported.startswith("unde_catalog.")
        )
    finished: set[str] = set()

    def visit(package: str, path: tuple[str, ...]) -> None:
        assert package not in path, f"a circle of imports: {' -> '.join((*path[path.index(package) :], package))}"
        if package not in finished:
            for other in sorted(below.get(package, set()) - {package}):
                visit(other, (*path, package))
            finished.add(package)

    for package in sorted(below):
        visit(package, ())


def test_only_a_few_packages_know_dagster() -> None:
    allowed = tuple(f"{name}." for name in DAGSTER)
    assert [
        name
        for name, file in _files()
        if not f"{name}.".startswith(allowed)
        and any(imported.split(".")[0] in ("dagster", "dagster_postgres") for imported in _imports(file))
    ] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = []
    for name, file in _files():
        if name.startswith(("settings", "sandbox")):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                readers.append(f"{name}:{node.lineno}")
    assert readers == []


def test_a_class_name_is_defined_once() -> None:
    where: dict[str, list[str]] = {}
    for name, file in _files():
        if name.startswith("sandbox"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(name)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


def test_the_command_line_starts_without_servers_and_heavy_libraries() -> None:
    """Each command pays for what `unde_catalog.cli.app` imports: half a second was for libraries that few need."""
    code = "import sys, unde_catalog.cli.app; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"aiohttp", "botocore", "dagster", "fastapi", "numpy", "pandas", "PIL", "qdrant_client", "sqlalchemy"}
    assert not loaded & heavy
