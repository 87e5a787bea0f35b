"""Freezes what the examples play, as the golden bytes that `test_golden` compares with::

    python -m tests.golden                  every case
    python -m tests.golden five-pis …       these
    python -m tests.golden --check […]      write nothing; exit status 1 where something differs

Prints which files of which case change, and where each first does. A change of golden bytes is a
change of results: the commit that makes it says which and why.
"""

from __future__ import annotations

import argparse
import shutil
import sys

from tests.golden.cases import CASES
from tests.golden.play import play
from tests.golden.store import FROZEN, differences, read, write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="Every one unless given.")
    parser.add_argument("--check", action="store_true", help="Compare; write nothing.")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    changed = 0
    for name in options.cases or CASES:
        case = CASES[name]
        if case.need and not case.need.found:
            print(f"{name}: left as it is; {case.need.reason}")
            continue
        texts = play(case)
        found = differences(read(name), texts)
        changed += bool(found)
        for path, where in found.items():
            print(f"{name}/{path}: {where}")
        if found and not options.check:
            write(name, texts)
    if not options.cases and not options.check and FROZEN.exists():
        for left in FROZEN.iterdir():
            if left.name not in CASES:
                print(f"{left.name}: no case any more")
                shutil.rmtree(left)
    print(f"{changed} cases {'differ' if options.check else 'changed'}")
    return int(options.check and changed > 0)


sys.exit(main())
