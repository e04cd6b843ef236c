"""The pages of the documentation as the tests read them: prose, quoted code, headings, calls of `unde-catalog`.

What must hold of them is in `unit/test_docs.py` and `dagster/test_docs.py`.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from unde_catalog_tests.support.reference_pages import PROJECT

PAGES = [PROJECT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
PAGES += sorted((PROJECT / "docs").rglob("*.md"))

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", page.read_text())


def inline_code(page: Path) -> list[str]:
    """What stands in single backticks."""
    return _INLINE.findall(prose(page))


def code(page: Path) -> Iterator[str]:
    """Every line of code that the page quotes: of fenced shell blocks, and inline."""
    for language, block in _FENCED.findall(page.read_text()):
        if language in ("", "sh", "shell", "bash", "console"):
            yield from re.sub(r"\\\n\s*", "", block).splitlines()
    yield from inline_code(page)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    names: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        names[slug] = names.get(slug, -1) + 1
        found.add(f"{slug}-{names[slug]}" if names[slug] else slug)
    return found


def calls(page: Path) -> Iterator[list[str]]:
    """Every call of `unde-catalog` that the page quotes, as words; also those inside `$(...)`."""
    for line in code(page):
        if "unde-catalog" in line:
            for part in (*re.findall(r"\$\(([^)]*)\)", line), re.sub(r"\$\([^)]*\)", "", line)):
                yield from _calls_in(part)


def _calls_in(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if words and set(word) <= set("();<>|&"):  # the end of a command, or where its output goes
            yield words
            words = []
        elif words and word != "[OPTIONS]":
            words.append(word)
        elif not words and word.rpartition("/")[2] == "unde-catalog":
            words = [word]
