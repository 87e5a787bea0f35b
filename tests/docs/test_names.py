"""Every path, command, option, make target and Python name that the documentation names exists."""

from __future__ import annotations

import importlib
import itertools
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from edgesim.cli import app
from tests.edgesim.command import FIVE_PIS, ROOT

DOCS = ROOT / "docs"
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(DOCS.glob("*.md")),
)
EXAMPLES = (*sorted((ROOT / "examples").rglob("*.yaml")), *sorted(ROOT.glob("examples/**/*.py")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_FENCE = re.compile(r"^```.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:(?<=\$ )|(?<=`)|(?<=[;/] )|(?<=#   ))edgesim ([a-z]+)\b([^`\n#|]*)")


def code_of(page: Path) -> Iterator[str]:
    """Give the code of a page: lines of its blocks, and what stands between backticks."""
    text = page.read_text()
    for block in _FENCE.findall(text):
        yield from block.splitlines()
    for inline in re.findall(r"`([^`]+)`", _FENCE.sub("", text)):
        yield " ".join(inline.split())


def braces(word: str) -> list[str]:
    """Return what a shell makes of braces: ``a-{1,2}`` is ``a-1`` and ``a-2``."""
    parts = re.split(r"\{([^{}]*,[^{}]*)\}", word)
    choices = [part.split(",") if odd % 2 else [part] for odd, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


@cache
def options() -> dict[str, set[str]]:
    """Return the options of every command."""
    found = {}
    root = get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        context = typer.Context(command, info_name=name)
        found[name] = {
            option
            for one in command.get_params(context)
            for option in (*one.opts, *one.secondary_opts)
        }
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    tops = ("edgesim/", "optics/", "partition/", "tests/", "examples/", "docs/")
    for code in code_of(page):
        for word in re.split(r"[\s\"'()]+", code):
            if not word.startswith(tops) or "…" in word:
                continue
            for path in braces(word.rstrip(".,:;")):
                assert list(ROOT.glob(path.rstrip("/"))), (page.name, path)
    for name in re.findall(r"\btest_\w+\.py\b", page.read_text()):
        assert list((ROOT / "tests").rglob(name)), (page.name, name)


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    for name, rest in _COMMAND.findall(page.read_text()):
        assert name in options(), (page.name, name)
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest):
            assert option in options()[name], (page.name, name, option)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_stand_alone_exist(page: Path) -> None:
    known = {option for found in options().values() for option in found}
    known |= {"--inputs", "--seed", "--kills"}  # of tests.abuse
    for code in code_of(page):
        if code.startswith("--") and not code.startswith("--8<--"):
            assert code.split()[0] in known, (page.name, code)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for code in code_of(page):
            for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", code):
                assert target in targets, (page.name, target)


def test_python_names_exist() -> None:
    groups = PROJECT["project"]["entry-points"]
    for page in PAGES:
        for code in code_of(page):
            name = re.fullmatch(r"(?:edgesim|optics|partition)(?:\.\w+)+", code)
            if name is None or code in groups or code.endswith((".service", ".md", ".toml")):
                continue
            parts = code.split(".")
            value = importlib.import_module(parts[0])
            for depth, part in enumerate(parts[1:], 2):
                try:
                    value = getattr(value, part)
                except AttributeError:
                    value = importlib.import_module(".".join(parts[:depth]))


def test_links_of_pages_beside_docs_lead_somewhere() -> None:
    # Those of docs are mkdocs' own to check.
    for page in [one for one in PAGES if one.parent == ROOT]:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            assert (ROOT / path).exists(), (page.name, link)
            if anchor:
                heads = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
                assert anchor in {head.lower().replace(" ", "-") for head in heads}, link


def test_the_table_of_rooms_has_the_layers_that_imports_are_held_to() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == ["edgesim"])
    shown = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", (DOCS / "architecture.md").read_text(), re.M)
    rooms = [set(re.findall(r"`(\w+)`", row)) for row in shown]
    expected = [set(layer.split(" | ")) for layer in layers if layer != "__main__"]
    assert rooms == [*expected, {"optics"}, {"partition"}]


def test_the_scenario_of_the_readme_is_the_example() -> None:
    assert f"```yaml\n{FIVE_PIS.read_text()}```" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_where_to_find_what_only_the_site_shows(page: Path) -> None:
    text = page.read_text()
    filled = re.search(r"^(<!-- made: |--8<-- |::: )", text, re.MULTILINE)
    assert filled is None or "`make docs`" in text
