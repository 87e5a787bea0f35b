"""Where the golden bytes lie, and how they differ from others.

Small documents lie as they are, so that a change of theirs can be read in a diff; the others of a
case are packed together in ``rest.json.xz``.
"""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

FROZEN = Path(__file__).parent / "frozen"
_REST = "rest.json.xz"
_READABLE = ("summary.json", "comparison.json", "table.csv", "run.txt", "check.txt", "sweep.txt")
_SHOWN = 160
"""Letters of a line that a difference shows around its first unlike letter."""


def read(name: str) -> dict[str, str]:
    """Return the frozen texts of a case by their paths; none of a case that was never frozen."""
    folder = FROZEN / name
    texts = {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in folder.rglob("*")
        if path.is_file() and path.name != _REST
    }
    rest = folder / _REST
    return {**texts, **(json.loads(lzma.decompress(rest.read_bytes())) if rest.exists() else {})}


def write(name: str, texts: Mapping[str, str]) -> None:
    """Freeze the texts of a case in place of what was frozen of it."""
    folder = FROZEN / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rest = {}
    for path, text in texts.items():
        if Path(path).name in _READABLE:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode())
        else:
            rest[path] = text
    if rest:
        packed = json.dumps(rest, ensure_ascii=False, sort_keys=True).encode()
        (folder / _REST).write_bytes(lzma.compress(packed, preset=9))


def differences(frozen: Mapping[str, str], played: Mapping[str, str]) -> dict[str, str]:
    """Return, by the path of each file that differs, where it first does, and how."""
    found = {}
    for path in sorted({*frozen, *played}):
        if path not in played:
            found[path] = "frozen, but no longer written"
        elif path not in frozen:
            found[path] = "written, but never frozen"
        elif frozen[path] != played[path]:
            found[path] = _first(frozen[path], played[path])
    return found


def _first(old: str, new: str) -> str:
    pairs = enumerate(zip_longest(old.splitlines(), new.splitlines()), start=1)
    number, (was, now) = next((row for row in pairs if row[1][0] != row[1][1]), (0, ("", "")))
    alike = zip_longest(was or "", now or "")
    column = next((at for at, (left, right) in enumerate(alike) if left != right), 0)
    begin = max(0, column - _SHOWN // 2)

    def part(line: str | None) -> str:
        return "(no line)" if line is None else line[begin : begin + _SHOWN]

    return f"line {number}, column {column + 1}\n  frozen: {part(was)}\n  now:    {part(now)}"
