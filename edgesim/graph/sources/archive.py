"""The file of an exported program: the text of its graph, and nothing that would be unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgesim.common.errors import InputError
from edgesim.common.files import LARGEST_BYTES, open_inside

_LARGEST_ARCHIVE_BYTES = 1 << 42
_HOW = (
    "export the model: torch.export.save(torch.export.export(model.eval(), (example,)), 'net.pt2')"
)


def model_text(path: Path) -> str:
    """Return the JSON text of the program in a file that ``torch.export.save`` wrote.

    Weights are not read, however large they are.

    Raises:
        InputError: it cannot be read or is none; a pickled one is refused, with how to export.
    """
    try:
        with open_inside(path, largest_bytes=_LARGEST_ARCHIVE_BYTES) as file:
            try:
                with zipfile.ZipFile(file) as archive:
                    return _text(path, archive)
            except zipfile.BadZipFile:
                file.seek(0)
                if file.read(2)[:1] == b"\x80":
                    raise _pickled(path) from None
                raise InputError(f"{path} is no exported program; {_HOW}") from None
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _text(path: Path, archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    found = [
        name
        for name in names
        if name == "serialized_exported_program.json"
        or (name.split("/")[-2:-1] == ["models"] and name.endswith(".json"))
    ]
    if not found:
        if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
            raise _pickled(path)
        raise InputError(f"{path} is no exported program; {_HOW}")
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} programs; expected one")
    if archive.getinfo(found[0]).file_size > LARGEST_BYTES:
        raise InputError(f"{path}: expected a program of at most {LARGEST_BYTES:,} bytes")
    try:
        with archive.open(found[0]) as file:
            raw = file.read(LARGEST_BYTES + 1)
        return raw.decode("utf-8")
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError):
        raise InputError(f"{path} is a damaged exported program; export it again") from None


def _pickled(path: Path) -> InputError:
    return InputError(
        f"{path} is a pickled file (torch.save or TorchScript), and to read one runs the code in "
        f"it; {_HOW}"
    )
