"""Scripts of the examples ask only for what there is: each name that they import is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("edgesim", "optics", "partition")


def imported(script: Path) -> list[tuple[str, str]]:
    """Return (module, name) of all that a script imports of this repository's packages."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module is not None
        and node.module.split(".")[0] in OURS
        for alias in node.names
    ]


@pytest.mark.parametrize(
    "script", sorted((ROOT / "examples").rglob("*.py")), ids=lambda one: one.stem
)
def test_all_that_a_script_imports_is_there(script: Path) -> None:
    for module, name in imported(script):
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}")
