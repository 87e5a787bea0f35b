"""Reading files that a user names, with a message for each way in which that fails."""

from __future__ import annotations

import errno
from pathlib import Path

from edgesim.common.errors import InputError, nearest

LARGEST_BYTES = 10_000_000
"""Of a scenario file."""


def read_text(
    path: Path,
    largest_bytes: int = LARGEST_BYTES,
    what: str = "a scenario",
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
        if path.is_dir():
            raise InputError(f"{path} is a folder; expected {what} file")
        if regular and not path.is_file() and path.exists():
            raise InputError(f"{path} is no regular file; expected {what} file")
        size = path.stat().st_size
        if size > largest_bytes:
            raise InputError(_too_large(path, largest_bytes, what, f", got {size:,}"))
        with path.open("rb") as file:
            # A pipe or a device tells no size: bounded here too.
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
