"""Which code computes the steps of a run: a step that other code computed is not reused."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection
from functools import cache
from importlib.metadata import version
from pathlib import Path

_NOT_COMPUTING = frozenset({
    "__init__", "artifact", "code_version", "compare", "cost", "entries", "errors", "fields",
    "files", "manifest", "pipeline", "progress", "recipe", "schema", "steps", "store",
})  # fmt: skip
"""Modules that no step's tensors depend on; the values of a recipe are in the keys of its steps."""


@cache
def code_version() -> str:
    """Return 16 hexadecimal digits that change with the code of the steps, or torch's version.

    Comments, layout and documentation do not count, so only what can change a result makes
    finished steps stale. It is other for another minor version of Python.
    """
    return version_of(Path(__file__).parent, _NOT_COMPUTING)


def version_of(folder: Path, left_out: Collection[str] = ()) -> str:
    """Return 16 hexadecimal digits that change with the code of a package, or torch's version.

    Args:
        folder: folder of the package.
        left_out: names of modules in it, not in its sub-packages, that do not count.
    """
    digest = hashlib.sha256(version("torch").encode())
    for path in sorted(folder.rglob("*.py")):
        if path.stem not in left_out or path.parent != folder:
            digest.update(f"{path.relative_to(folder)}\n".encode())
            digest.update(code_of(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def code_of(source: str) -> str:
    """Return what is the same for the same code: the syntax tree without texts that stand alone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
