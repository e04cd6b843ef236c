"""The documentation against the repository: links, paths, commands, settings and generated parts.

What Dagster knows by name (jobs, schedules, checks) is compared in `dagster/test_docs.py`.
"""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest

from unde_catalog import brands
from unde_catalog.brands import BRANDS
from unde_catalog.services.user_media.fetch_result import ErrorCode
from unde_catalog.settings.known_names import REPLACED
from unde_catalog.stages.run import STAGES
from unde_catalog_tests.support.doc_pages import PAGES, anchors, calls, code, inline_code, prose
from unde_catalog_tests.support.reference_pages import COMMAND, PROJECT, commands, pages, setting_names

README_WORDS = 900

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"(unde_catalog|unde_catalog_tests|docs|docker)/[\w./-]*|[\w.-]+\.(toml|lock)|Makefile")
_VARIABLE = re.compile(r"(<BRAND>_)?[A-Z][A-Z0-9]*(_([A-Z0-9]+|<BRAND>))+")
_BRANDS = (*BRANDS, "acme")  # which the tutorial adds

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


@each_page
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists() and file.is_relative_to(PROJECT), f"{target} leads nowhere"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{target}: {file.name} has no such heading"


@each_page
def test_paths_in_backticks_exist(page: Path) -> None:
    for text in inline_code(page):
        if _PATH.fullmatch(text):
            assert (PROJECT / text).exists(), f"{text} does not exist"


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for line in code(page):
        for target in re.findall(r"^(?:\$ )?make (?:[A-Z]+=\S+ )*([a-z-]+)", line.strip()):
            assert target in targets, f"make {target} does not exist"


@each_page
def test_modules_that_are_run_exist(page: Path) -> None:
    for line in code(page):
        for module in re.findall(r"python3? -m (unde_catalog[\w.]*)", line):
            assert importlib.util.find_spec(module) is not None, f"{module} does not exist"


@each_page
def test_commands_and_options_exist(page: Path) -> None:
    known = {tuple(name.split()[1:]): command for name, command in commands()}
    for words in calls(page):
        names, rest = words[1:], []
        while names and tuple(names) not in known:
            rest.insert(0, names.pop())
        assert names or not rest or rest == ["--help"], f"{shlex.join(words)}: there is no such command"
        if names:
            _check_call(shlex.join(words), known[tuple(names)], rest)


def _check_call(call: str, command: Any, words: list[str]) -> None:
    """Options exist, values that name a stage or a brand are known, and there are not too many arguments."""
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
    arguments = [one.name for one in command.params if one.param_type_name == "argument"]
    given = iter(words)
    plain: list[str] = []
    for word in given:
        if not word.startswith("-"):
            plain.append(word)
            continue
        assert word in options, f"{call}: there is no option {word}"
        if not options[word].is_flag:
            _check_value(call, options[word].name, next(given, None))
    assert len(plain) <= len(arguments), f"{call}: {plain} is too much"
    for name, word in zip(arguments, plain, strict=False):
        _check_value(call, name, word)


def _check_value(call: str, name: str, value: str | None) -> None:
    known = {"stage": STAGES, "brand": _BRANDS}.get(name)
    if known and value is not None and not value.isupper():
        assert value in known, f"{call}: {value} is no {name}"


@each_page
def test_environment_variables_in_backticks_are_settings(page: Path) -> None:
    known = setting_names()
    for text in inline_code(page):
        name = text.partition("=")[0]
        if (
            not _VARIABLE.fullmatch(name)
            or name in {*get_args(ErrorCode), *REPLACED, "DG_CLI_CONFIG", "CODE_HOST"}
            or hasattr(brands, name)
            or page.name == "messages.md"
        ):
            continue
        general = name
        for brand in _BRANDS:
            general = re.sub(rf"(^|_){brand.upper()}(?=_|$)", r"\1<BRAND>", general)
        assert name in known or general in known, f"{name} is no setting"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_generated_parts_are_up_to_date(page: Path) -> None:
    assert page.read_text() == pages()[page], f"run {COMMAND}"


def test_the_readme_is_short() -> None:
    words = len((PROJECT / "README.md").read_text().split())
    assert words <= README_WORDS, f"README.md has {words} words"


def test_every_picture_is_shown_and_small() -> None:
    shown = {target for page in PAGES for target in _LINK.findall(prose(page)) if "img/" in target}
    for picture in (PROJECT / "docs/img").iterdir():
        assert any(target.endswith(f"img/{picture.name}") for target in shown), f"{picture.name} is on no page"
        assert picture.stat().st_size < 150_000, f"{picture.name} is too large"
