"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edgesim.errors import EdgesimError


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
