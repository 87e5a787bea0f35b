"""Compares every output that the documentation shows with what its command prints::

    python -m tests.docs            prints which blocks differ, and from where on
    python -m tests.docs --write    also puts what is printed in place of blocks without a gap

Exit status 1 where something differs. Slow commands are played too, which takes a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.outputs import COMMANDS, GAP, Played, blocks, missing, printed


def main() -> int:
    seen: dict[Played, str] = {}
    different = 0
    for block in blocks():
        played = COMMANDS.get(block.command)
        if played is None or (played.need and not played.need.found):
            continue
        if played not in seen:
            with tempfile.TemporaryDirectory() as folder:
                seen[played] = printed(played, Path(folder))
        lost = missing(block.shown, seen[played])
        if not lost:
            continue
        different += 1
        print(f"{block.page.name}: `{block.command}` does not print:\n{lost}\n")
        if "--write" in sys.argv and GAP not in block.shown.split():
            lines = (line.rstrip() for line in seen[played].splitlines())
            text = block.page.read_text()
            block.page.write_text(text.replace(block.shown, "\n".join(lines) + "\n", 1))
    print(f"{different} blocks differ")
    return int(different > 0)


sys.exit(main())
