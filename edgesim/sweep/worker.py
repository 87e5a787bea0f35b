"""A process that plays points for a sweep: tasks come on stdin, rows go out on stdout, a JSON line
each. It ends when stdin does: also when the sweep is killed, at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from queue import SimpleQueue
from threading import Thread

LATEST_S = 0.05
"""Rows that take little time go out together, so late at most."""


def main() -> None:
    """Play what comes."""
    # What anything prints goes to stderr: rows have stdout for themselves.
    rows = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tasks: SimpleQueue[str] = SimpleQueue()
    first = sys.stdin.readline()
    if not first:
        return
    Thread(target=_listen, args=(tasks,), daemon=True).start()
    from edgesim.sweep.player import player

    playing = player(first)
    told_s = time.monotonic()
    while True:
        point, settings = json.loads(tasks.get())
        rows.write(json.dumps(playing.row(point, settings)) + "\n")
        if tasks.empty() or time.monotonic() - told_s > LATEST_S:
            rows.flush()
            told_s = time.monotonic()


def _listen(tasks: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        tasks.put(line)
    # Nobody waits for the row of the point that is under way.
    os._exit(0)


if __name__ == "__main__":
    main()
