"""The documentation: built without a warning, offline, and saying what the product does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest

from edgesim.hardware import catalog
from tests import needs
from tests.edgesim.command import ROOT, edgesim, environment

DOCS = ROOT / "docs"
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.MKDOCS.require()
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment(NO_MKDOCS_2_WARNING="1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    assert "@@" not in "".join(page.read_text() for page in DOCS.glob("*.md"))
    return out


def text_of(page: Path) -> str:
    """Return what a reader sees of a page."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data)

    Reader().feed(page.read_text())
    return " ".join(" ".join(found).split())


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        loads = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text()
        )
        assert not [one for one in loads if "canonical" not in one], page


def test_every_key_of_a_scenario_is_in_the_reference(site: Path) -> None:
    schema = json.loads(edgesim("schema").stdout)
    told = text_of(site / "scenario.html")
    choices = [one for part in schema["$defs"].values() for one in (part, *part.get("anyOf", ()))]
    sections = [one for one in choices if "properties" in one]
    assert len(sections) > 50
    for name, part in [("the file", schema), *((one.get("title"), one) for one in sections)]:
        for key, one in part["properties"].items():
            assert f" {key} " in told, (name, key)
            for words in one.get("description", "").split("`"):
                assert words.strip() in told, (name, key)


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    told = text_of(site / "commands.html")
    listed = re.findall(r"^[│ ]*([a-z]+)  ", edgesim("--help", COLUMNS="200").stdout, re.MULTILINE)
    assert {"run", "check", "node", "deploy"} <= set(listed)
    for name in listed:
        assert f"edgesim {name}" in told
        options = re.findall(r"--[a-z-]+", edgesim(name, "--help", COLUMNS="300").stdout)
        for option in set(options) - {"--help"}:
            assert option in told, (name, option)


def test_every_device_is_in_the_catalog(site: Path) -> None:
    told = text_of(site / "devices.html")
    for name in catalog.names():
        assert name in told
    source = catalog.entry("raspberry-pi-4b")["source"]["power.idle"]
    assert " ".join(source.split()) in told


@pytest.mark.parametrize("package", ["optics", "partition"])
def test_every_public_name_of_a_package_is_in_its_reference(site: Path, package: str) -> None:
    source = (DOCS / f"api-{package}.md").read_text()
    page_file = site / f"api-{package}.html"
    page = page_file.read_text()
    modules = re.findall(r"^::: (\S+)$", source, re.MULTILINE)
    folders = {file.parent for file in (ROOT / package).rglob("__init__.py")} - {ROOT / "optics"}
    assert {".".join(one.relative_to(ROOT).parts) for one in folders} <= set(modules)
    names = {
        f"{one}.{name}" for one in modules for name in getattr(import_module(one), "__all__", ())
    }
    names -= {"optics.physical.Bench"}  # stands there as optics.layers.Bench
    assert [one for one in sorted(names) if f'id="{one}"' not in page] == []
    # Sphinx's roles are links here, and sections of docstrings are lists.
    assert not re.search(r":(?:attr|class|data|func|meth|mod):`?", text_of(page_file))
    assert "Raises:" in page


def test_files_that_pages_show_are_shown(site: Path) -> None:
    # A marker that is not understood is left in the page as it stands, without a warning.
    shown = {
        "extending.html": [PLUGIN / "pyproject.toml", *sorted(PLUGIN.glob("*.py"))],
        "studies.html": [ROOT / "examples" / f"{n}-study.yaml" for n in ("five-pis", "fewest-pis")],
    }
    for name, files in shown.items():
        for file in files:
            told = "".join(text_of(site / name).split())
            assert "".join(file.read_text().split()) in told, (name, file.name)
    for page in site.glob("*.html"):
        assert not re.search(r"--8\s*<", text_of(page)), page.name


def test_the_quick_start_runs_as_it_stands(tmp_path: Path) -> None:
    page = (DOCS / "quick-start.md").read_text()
    lines = re.findall(r"^\$ edgesim (.*)$", page, re.MULTILINE)
    for elsewhere in ("check cluster.yaml", "run examples/five-pis.yaml"):  # test_outputs.py
        lines.remove(elsewhere)
    assert len(lines) >= 5
    for line in lines:
        done = edgesim(*line.split(), cwd=tmp_path)
        assert done.returncode == 0, (line, done.stderr)
    assert (tmp_path / "runs" / "eight" / "summary.json").is_file()
