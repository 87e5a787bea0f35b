"""Plays a case in this process; returns the text of its files with what may vary masked."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tempfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer

from edgesim import api, cli
from edgesim.cli.run import compare
from edgesim.cli.session import Session
from edgesim.serve.coordinator.policy import Policy
from tests.golden.cases import FAULT_SEEDS, ROOT, Case

_TRACED = 10
"""Requests whose tasks are frozen, too."""
_EDGESIM = typer.main.get_command(cli.app)
_TERMINAL = ("COLUMNS", "LINES", "TERM", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE")


def play(case: Case) -> dict[str, str]:
    """Return the text of every file that a case leaves, by its path, and of what it prints."""
    with tempfile.TemporaryDirectory(prefix="golden-") as place, _no_terminal():
        out = Path(place) / "out"
        texts = {"run": _run, "both": _both, "sweep": _sweep, "check": _check}[case.command](
            case, out
        )
        for path in sorted(out.rglob("*")) if out.exists() else ():
            if path.is_file() and path.suffix in (".json", ".csv", ".yaml", ".html"):
                texts[path.relative_to(out).as_posix()] = path.read_text(encoding="utf-8")
        return {
            name: _masked(page_text(text) if name.endswith(".html") else text, place)
            for name, text in sorted(texts.items())
        }


def _options(case: Case) -> list[str]:
    found = [str(case.file)]
    for setting in case.settings:
        found += ["--set", setting]
    return found + ([] if case.seed is None else ["--seed", str(case.seed)])


def _command(*arguments: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        status = _EDGESIM.main([*arguments], standalone_mode=False)
    assert not status, f"edgesim {' '.join(arguments)}: exit status {status}"
    return printed.getvalue()


def _run(case: Case, out: Path) -> dict[str, str]:
    options = _options(case)
    # Ranges depend on the residuals of every published time: any new one would change all cases.
    told = _command("run", *options, "--no-range", "--trace", str(_TRACED), "--out", str(out))
    if case.seed is not None and case.seed != FAULT_SEEDS[0]:
        # A plan knows no seed.
        return {"run.txt": told}
    return {
        "check.json": _command("check", *options, "--json"),
        "check.txt": _command("check", *options),
        "run.txt": told,
    }


def _both(case: Case, out: Path) -> dict[str, str]:
    """Compare a prediction of real nodes with a simulation that stands in for their measurement."""

    def measure(scenario: Any, *, trace_requests: int, progress: Any) -> Any:
        return api.run(scenario, trace_requests=trace_requests, progress=progress)

    scenario = api.load(case.file, overrides=case.settings, seed=case.seed)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        compare(
            Session(),
            scenario,
            "0.5, scenario",
            measure,
            Policy.of(scenario.recovery).simulated(),
            out,
            trace_requests=_TRACED,
        )
    return {"run.txt": printed.getvalue()}


def _sweep(case: Case, out: Path) -> dict[str, str]:
    texts = {"sweep.txt": _command("sweep", *_options(_shorter(case, out)), "--out", str(out))}
    _command("report", str(out))
    return texts


def _shorter(case: Case, out: Path) -> Case:
    """Return a study with fewer points, which no override can take away."""
    text = case.file.read_text(encoding="utf-8")
    for old, new in case.edits:
        assert text.count(old) == 1, f"{case.file}: no single {old!r} to replace"
        text = text.replace(old, new)
    study = out.with_name(case.file.name)
    study.write_text(text, encoding="utf-8")
    return replace(case, file=study)


def _check(case: Case, out: Path) -> dict[str, str]:
    return {"check.txt": _command("check", *_options(case))}


@contextlib.contextmanager
def _no_terminal() -> Any:
    """Hide the terminal of whoever runs the tests: tables are as wide as in a file."""
    with patch.dict(os.environ):
        for name in _TERMINAL:
            os.environ.pop(name, None)
        yield


_TIME = r"\d[\d.,]* (?:ns|us|µs|ms|s|min|h)(?: \d+ (?:s|min))?"
_MASKS = [
    (re.compile(r'(?<="wall_s": )[^,\n}]+'), "MASKED"),
    (re.compile(r'(?<="versions": )\{[^}]*\}'), "MASKED"),
    (re.compile(r'(?<="edgesim": )"[^"]*"'), "MASKED"),
    (re.compile(r'(?<="fingerprint": )"[0-9a-f]+"'), "MASKED"),
    # The versions at the end of a page, the time of a run above a table.
    (re.compile(r"edgesim \d+\.\d+\.\d+[^\n]*"), "edgesim MASKED"),
    (re.compile(rf"(?<=simulated in ){_TIME}"), "MASKED"),
    (re.compile(rf"{_TIME}(?= in all)"), "MASKED"),
    (re.compile(rf"(?<= points, ){_TIME}"), "MASKED"),
    (re.compile(rf"(?<= failed, ){_TIME}"), "MASKED"),
]


def _masked(text: str, place: str) -> str:
    text = text.replace(place, "PLACE").replace(str(ROOT), "ROOT")
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def page_text(html: str) -> str:
    """Return what a page shows, a line for each text, figure (``data-``) and hash of a drawing."""
    reader = _Page()
    reader.feed(html)
    reader.close()
    return "\n".join(reader.lines) + "\n"


class _Page(HTMLParser):
    """Collects the lines of `page_text`."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._skipped = False
        self._drawing: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._skipped = (
            tag in ("style", "script") and ("type", "application/json") not in attributes
        )
        if tag == "svg":
            self._drawing = []
        if self._drawing is not None:
            self._drawing += [tag, *(f"{key}={value}" for key, value in attributes)]
        figures = [f"{key}={value}" for key, value in attributes if key.startswith("data-")]
        if figures:
            self.lines.append(f"[{' '.join(figures)}]")

    def handle_endtag(self, tag: str) -> None:
        self._skipped = False
        if tag == "svg" and self._drawing is not None:
            drawn = hashlib.sha256("\n".join(self._drawing).encode()).hexdigest()[:16]
            self.lines.append(f"[drawing {drawn}]")
            self._drawing = None

    def handle_data(self, data: str) -> None:
        text = data.strip()
        if text and not self._skipped:
            self.lines.append(text)
