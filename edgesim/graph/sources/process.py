"""Traces in a process of its own: what a user's code prints, takes or ends stays there."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.processes import end_of, environment
from edgesim.common.progress import Bar
from edgesim.common.text import duration

_COMMAND = (sys.executable, "-c", "from edgesim.graph.sources.worker import main; main()")
_LOOK_S = 0.1
_ENDING_S = 10.0
_SHOWN_LINES = 5
LARGEST_BYTES = 128_000_000
"""Largest answer that is read."""


def ask(job: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
    """Return the answer of a process that traces ``job``: its graph, and what that depends on.

    The process ends with this one, and at an interrupt.

    Args:
        job: from `edgesim.graph.sources.registry.job_of`.
        limit_s: longest that it may take, in seconds.

    Raises:
        InputError: the model cannot be traced; the message has the traceback of the user's code.
        EdgesimError: the process cannot be started.
    """
    with tempfile.TemporaryFile() as said:
        try:
            # Ctrl-C reaches all processes of a terminal's session: this one ends with its stdin.
            process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**environment(), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )
        except OSError as error:
            why = error.strerror or error
            raise EdgesimError(f"cannot start a process that traces: {why}") from None
        try:
            raw = _answer(process, job, limit_s)
        finally:
            _end(process)
        if not raw:
            raise InputError(
                f"{title(job)}: the code ended its process: {end_of(process)}{_last_lines(said)}"
            )
    answer: dict[str, Any] = json.loads(raw)
    if "error" in answer:
        raise InputError(f"{title(job)}: {answer['error']}")
    return answer


def title(job: dict[str, Any]) -> str:
    """Return what messages call the model of a job."""
    place = job.get("name") or job.get("file") or f"{job['place']}:{job['callable']}"
    return f"{job['kind']}:{_near(str(place))}"


def _near(path: str) -> str:
    """Return a path as seen from here, where it lies below."""
    here = os.getcwd() + os.sep
    return path.removeprefix(here)


def _answer(process: subprocess.Popen[bytes], job: dict[str, Any], limit_s: float) -> bytes:
    """Return the one line that a process answers; empty where it ended without."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
    begun_s = time.monotonic()
    pieces: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector, Bar("s") as bar:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            spent_s = time.monotonic() - begun_s
            if spent_s > limit_s:
                raise InputError(
                    f"{title(job)}: not traced within {duration(limit_s)}; does it download or "
                    "compute something? Only shapes are needed. --limit gives it longer"
                )
            bar.update(f"tracing {title(job)}", int(spent_s), int(limit_s))
            if not selector.select(_LOOK_S):
                continue
            piece = os.read(process.stdout.fileno(), 1 << 20)
            size += len(piece)
            if size > LARGEST_BYTES:
                raise InputError(f"{title(job)}: a graph of more than {LARGEST_BYTES:,} bytes")
            pieces.append(piece)
            if piece.endswith(b"\n"):
                return b"".join(pieces)
            if not piece:
                # Its end was closed: it is just ending by itself.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_ENDING_S)
                return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, whatever they do."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            assert stream is not None
            stream.close()


def _last_lines(said: IO[bytes]) -> str:
    """Return the last lines that a process printed, for a message."""
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 4_000))
    lines = said.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n  {line[:200]}" for line in ["it printed last:", *lines]) if lines else ""
