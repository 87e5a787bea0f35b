"""The command line as users start it: within this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests import needs

ROOT = Path(__file__).parents[2]
FIVE_PIS = ROOT / "examples" / "five-pis.yaml"
COMMAND = [sys.executable, "-m", "edgesim"]


def environment(*paths: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a user without a terminal, whatever that of the tests is.

    Modules are taken from ``paths``, too.
    """
    own = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TERM")}
    places = [*paths, *([needs.BARE_PATH] if needs.BARE else []), ROOT]
    python_path = ":".join(map(str, places))
    return {**own, "OMP_NUM_THREADS": "1", "PYTHONPATH": python_path, **variables}


def edgesim(
    *arguments: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command within this process; return its exit status, stdout and stderr as text.

    What is about the process itself (signals, what it imports, its end) takes
    :func:`edgesim_process`.
    """
    module = import_module("edgesim.__main__")
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with (
            contextlib.chdir(cwd or Path.cwd()),
            mock.patch.dict(os.environ, environment(**variables), clear=True),
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            patch.setattr(sys, "argv", [str(module.__file__), *map(str, arguments)])
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setitem(sys.modules, "__main__", module)
            with pytest.raises(SystemExit) as ended:
                module.main()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    texts = [stream.buffer.getvalue().decode() for stream in (output, errors)]
    return subprocess.CompletedProcess(sys.argv, int(ended.value.code or 0), *texts)


def edgesim_process(
    *arguments: str | Path,
    cwd: Path | None = None,
    inside: Sequence[str] = (),
    timeout_s: float = 180.0,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Do the same in a process of its own, as users do.

    ``inside`` is what the command line begins with, to run it somewhere else.
    """
    return subprocess.run(
        [*inside, *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def started(command: Sequence[str | Path], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command that does not outlive its test, however that ends."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def document(text: str) -> Any:
    """Return the one JSON document that ``text`` is; NaN and infinity are none."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def assert_fails(
    done: subprocess.CompletedProcess[str], status: int, parts: Sequence[str] = ()
) -> None:
    """Check that a command ended in one message, with ``parts`` in it, and nothing else."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("edgesim: ")
    assert done.stderr.count("edgesim: ") == 1
    assert done.stdout == ""
    for part in parts:
        assert part in done.stderr
