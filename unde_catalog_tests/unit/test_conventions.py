"""Conventions of the source text: short test names, and rules that are stated instead of cited by number."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
MAX_TEST_NAME = 70
_NUMBERED_RULE = re.compile(r"\bspecs? \d", re.IGNORECASE)
_TEXTS = {".py", ".md", ".sql", ".html", ".css", ".js", ".json", ".yaml", ".toml"}


def _test_names() -> Iterator[str]:
    for file in sorted((PROJECT / "unde_catalog_tests").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def _texts() -> Iterator[Path]:
    """The text files of the packages and the documentation, except migrations, which stay as they were deployed."""
    for folder in ("unde_catalog", "unde_catalog_tests", "docs"):
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix in _TEXTS and "versions" not in file.parts and "__pycache__" not in file.parts:
                yield file


def test_a_tests_name_has_at_most_70_characters() -> None:
    assert [name for name in _test_names() if len(name) > MAX_TEST_NAME] == []


def test_no_text_cites_a_numbered_specification() -> None:
    """Readers have no such document. State the rule itself, or cite a page of docs/reference."""
    cited = [
        f"{file.relative_to(PROJECT)}:{number}"
        for file in _texts()
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if _NUMBERED_RULE.search(line)
    ]
    assert cited == []
