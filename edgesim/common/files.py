"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from edgesim.common.errors import InputError, write_error
from partition import files

SCHEMA = 1
"""Of the documents in result folders."""


def read_document(path: Path, kind: str, folder: str) -> dict[str, Any]:
    """Return the JSON document of a result folder.

    Args:
        path: path of the file.
        kind: noun for the document in messages: ``summary``.
        folder: noun for its folder in messages: ``result folder``.

    Raises:
        InputError: it is none, or of another version of the schema.
    """
    document = read_json(path, folder)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path}: expected a {kind} of schema {SCHEMA}")
    return document


def read_json(path: Path, folder: str) -> Any:
    """Return what a JSON file of a folder holds; integers that no double can be are infinite.

    Raises:
        InputError: it cannot be read, so that the folder is no ``folder``, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_int=_whole)
    except OSError as error:
        raise InputError(f"{path.parent} is no {folder}: {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON") from None


def _whole(digits: str) -> int | float:
    # Of 300 digits each is a double; and Python refuses to read thousands.
    return int(digits) if len(digits) <= 300 else float(digits)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a text file that is whole or absent, see :func:`partition.files.whole_file`.

    Raises:
        EdgesimError: the file cannot be written; the message says why.
    """
    try:
        with files.whole_file(path) as file:
            yield file
    except OSError as error:
        raise write_error(f"cannot write {path}", error) from None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, whole or not at all; raises as `whole_file` does."""
    with whole_file(path) as file:
        file.write(text)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all; raises as `whole_file` does."""
    with whole_file(path) as file:
        file.buffer.write(data)
