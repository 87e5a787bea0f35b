"""Files written whole or not at all, and files of others that are read safely."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from edgesim.common.errors import InputError, nearest, write_error
from edgesim.common.folders import try_beside
from partition import files

SCHEMA = 1
"""Of the documents in result folders."""
LARGEST_BYTES = 128_000_000
"""Largest document that is read, in bytes; 100,000 nodes take some 30 MB of a summary."""


def open_inside(
    path: Path, folder: Path | None = None, largest_bytes: int = LARGEST_BYTES, hint: str = ""
) -> BinaryIO:
    """Open a file of a folder that someone else may have written, as those of artifacts are.

    Args:
        path: path of the file.
        folder: folder that the file must lie in when links are followed; by default its own.
        largest_bytes: size that it may have.
        hint: what to do about a larger one, after the message.

    Raises:
        OSError: it is not there, or cannot be read.
        InputError: it is a pipe, a device or a folder, lies elsewhere, or is too large.
    """
    # A pipe would be waited for.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is no regular file; copy or make its folder again")
        home = Path(os.path.realpath(folder or path.parent))
        if not Path(os.path.realpath(path)).is_relative_to(home):
            raise InputError(f"{path} is a link to another folder; copy the file itself")
        if status.st_size > largest_bytes:
            raise InputError(
                f"{path}: expected at most {largest_bytes:,} bytes, got {status.st_size:,}{hint}"
            )
        return open(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_file(path: Path, expected: str) -> None:
    """Check that a path is that of a regular file, before something else opens it.

    Args:
        path: path of the file.
        expected: what messages expect it to be, such as ``an ONNX file``.

    Raises:
        InputError: it does not exist (the message names the nearest in its folder), or is a
            folder, a pipe or a device.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected {expected}")
    if not path.is_file():
        if path.exists():
            raise InputError(f"{path} is no regular file; expected {expected}")
        raise InputError(f"{path} does not exist{_neighbour(path)}")


def read_text(
    path: Path,
    largest_bytes: int,
    what: str,
    *,
    regular: bool = False,
) -> str:
    """Return the text of a file; ``what`` is what messages expect it to be.

    ``regular`` is for files that another file names: a pipe or a device among them would be waited
    for, or never end.

    Raises:
        InputError: it does not exist (the message names the nearest in its folder), is a folder,
            cannot be read, is empty, too large (found before it is read), or no UTF-8 text.
    """
    try:
        if regular or path.is_dir():
            check_file(path, f"{what} file")
        size = path.stat().st_size
        if size > largest_bytes:
            raise InputError(_too_large(path, largest_bytes, what, f", got {size:,}"))
        with path.open("rb") as file:
            # A pipe or a device has no size: bounded here too.
            raw = file.read(largest_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist{_neighbour(path)}") from None
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"cannot read '{str(path)[:60]}...': {reason}") from None
        raise InputError(f"cannot read {path}: {reason}") from None
    except ValueError:
        raise InputError(f"{str(path)!r} is no file name") from None
    if len(raw) > largest_bytes:
        raise InputError(_too_large(path, largest_bytes, what, ""))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected {what} in UTF-8 text, got the byte {raw[error.start]:#04x} "
            f"at {error.start:,}; is this a binary file, or one in another encoding?"
        ) from None
    if not text.strip():
        raise InputError(f"{path} is empty; expected {what}")
    return text


def _too_large(path: Path, largest_bytes: int, what: str, came: str) -> str:
    return f"{path}: expected {what} of at most {largest_bytes:,} bytes{came}"


def _neighbour(path: Path) -> str:
    """Return the nearest name of the same ending in the folder, or of a folder that is missing."""
    folder = path.parent
    try:
        found = sorted(one.name for one in folder.iterdir() if one.is_file())
    except OSError:
        return f"; nor does the folder {folder}" if not folder.exists() else ""
    return nearest(path.name, [one for one in found if Path(one).suffix == path.suffix] or found)


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
        InputError: it cannot be read, so that the folder is no ``folder``, or is no JSON; or see
            `open_inside`.
    """
    try:
        with open_inside(path) as file:
            return json.loads(file.read().decode("utf-8"), parse_int=_whole)
    except OSError as error:
        raise InputError(f"{path.parent} is no {folder}: {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON") from None


def _whole(digits: str) -> int | float:
    # Of 300 digits each is a double; and Python refuses to read thousands.
    return int(digits) if len(digits) <= 300 else float(digits)


def prepare_file(path: Path) -> None:
    """Check, before long work, that a file can be written to ``path``; leave nothing there.

    Raises:
        InputError: it is a folder, or its path is wrong.
        EdgesimError: it cannot be written for another reason.
    """
    if path.is_dir():
        raise InputError(f"--out: {path} is a folder; name a file")
    try:
        try_beside(path)
    except OSError as error:
        raise write_error(f"cannot write {path}", error) from None


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
