"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError, InputError

SCHEMA = 1
"""Of the documents in result folders."""


def read_document(path: Path, kind: str, folder: str) -> dict[str, Any]:
    """Return the JSON document of a result folder.

    Args:
        path: of the file.
        kind: what the document is, for messages: ``summary``.
        folder: what its folder is then: ``result folder``.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    try:
        document = from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path.parent} is no {folder}: {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path}: expected a {kind} of schema {SCHEMA}")
    return document


def from_json(text: str) -> Any:
    """Return what a JSON text holds; whole numbers that no double can be are infinite.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | float:
    # Of 300 digits each is a double; and Python refuses to read thousands.
    return int(digits) if len(digits) <= 300 else float(digits)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` under a temporary name beside ``path``, then rename; make missing folders.

    Raises:
        EdgesimError: the file cannot be written; the message says why. What was there before
            stays as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise EdgesimError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
