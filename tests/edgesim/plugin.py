"""The plug-in of examples/plugin, or another, as pip leaves one in a folder of packages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from tests.edgesim.command import ROOT

EXAMPLE = ROOT / "examples" / "plugin"


def install(folder: Path, name: str, points: Mapping[str, Mapping[str, str]]) -> None:
    """Write what a package says of itself, its entry points by group."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, entries in points.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def install_example(folder: Path) -> None:
    """Install the example: its modules, and what its pyproject.toml registers."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(folder, project["name"].replace("-", "_"), project["entry-points"])
    for module in EXAMPLE.glob("*.py"):
        (folder / module.name).write_text(module.read_text())
