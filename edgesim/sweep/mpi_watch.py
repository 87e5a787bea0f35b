"""Speaks for a sweep over ranks that its launcher kills.

When a rank dies, ``mpiexec`` kills all others at once: the first rank too, which could have said
what is kept. So a small process beside it says it, when its stdin ends without a word.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Self

_PROGRAM = """
import sys
told = sys.stdin.readline()
print("ready", flush=True)
if sys.stdin.read() == "":
    sys.stderr.write("edgesim: " + told)
"""


class Watch:
    """A context in which an end by force is told.

    Args:
        message: what is said then, on stderr; one line.
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._say(self._message + "\n")
        assert self._process.stdout is not None
        # The launcher goes soon after a death: to start only then would be too late.
        self._process.stdout.readline()
        return self

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        # It may have been killed itself: nobody is told then.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text)
            self._process.stdin.flush()

    def __exit__(self, *error: object) -> None:
        self._say("done\n")
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
