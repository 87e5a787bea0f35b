"""``requests.csv``, ``tasks.csv`` and ``faults.csv``: one line a request, task or event."""

from __future__ import annotations

import contextlib
import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from edgesim.common.errors import InputError
from edgesim.common.files import open_inside
from edgesim.common.progress import Progress
from edgesim.common.tables import cell_text, csv_cell
from edgesim.simulate import Outcome, Recording, Span
from edgesim.simulate.recording import PARTS, FaultRecord

REQUESTS = (
    "replication", "request", "arrival_s", "latency_s", "queue_s", "compute_s", "transfer_s",
    "fusion_s", "outcome",
)  # fmt: skip
LARGEST_TABLE_BYTES = 512_000_000
"""Size of a table that is read as a whole, in bytes: some five million spans."""
LARGEST_REQUESTS_BYTES = 20_000_000_000
"""Size of a ``requests.csv``, which is read in pieces, in bytes: a hundred million requests."""
_MOST_REQUESTS = 100_000_000
_LONGEST_LINE = 65_536
TASKS = ("request", "task", "node", "kind", "start_s", "end_s", "joules", "target")


def requests(recordings: Sequence[Recording]) -> Iterator[str]:
    """Give ``requests.csv`` in pieces; times with all their digits, empty without an answer."""
    several = any(recording.sources for recording in recordings)
    yield ",".join((*REQUESTS, "source") if several else REQUESTS) + "\n"
    for number, recording in enumerate(recordings):
        for start in range(0, len(recording.arrival_s), _ROWS):
            yield _requests(number, recording, start)


_ROWS = 10_000
"""Rows of a piece."""


def _requests(number: int, recording: Recording, start: int) -> str:
    """Return the rows of the requests of one replication from ``start`` on."""
    rows = slice(start, start + _ROWS)
    names = {one.value: one.name.lower() for one in Outcome}
    times = (recording.latency_s, *(recording.breakdown_s[part] for part in PARTS))
    arrivals, outcomes = recording.arrival_s[rows].tolist(), recording.outcome[rows].tolist()
    rest = zip(*(column[rows].tolist() for column in times), strict=True)
    sources = [f",{csv_cell(name)}" for name in recording.sources]
    entered = [sources[one] for one in recording.source[rows].tolist()] or [""] * len(arrivals)
    lines = []
    for index, (arrival, outcome, values, source) in enumerate(
        zip(arrivals, outcomes, rest, entered, strict=True), start
    ):
        latency = values[0]
        answered = latency == latency  # not NaN
        written = ",".join(map(repr, values)) if answered else "," * len(PARTS)
        lines.append(f"{number},{index},{arrival!r},{written},{names[outcome]}{source}\n")
    return "".join(lines)


def tasks(recording: Recording) -> str:
    """Return ``tasks.csv``: the spans of the first requests, by request and start.

    Joules are empty where they were not measured.
    """
    lines, cell = [",".join(TASKS)], cache(csv_cell)
    for span in in_order(recording.spans):
        task, node, target = (cell(text) for text in (span.task, span.node, span.target))
        joules = "" if math.isnan(span.joules) else repr(span.joules)
        lines.append(
            f"{span.request},{task},{node},{span.kind},{span.start_s!r},{span.end_s!r},"
            f"{joules},{target}"
        )
    return "\n".join(lines) + "\n"


def faults(records: Sequence[FaultRecord | None]) -> str:
    """Return ``faults.csv``: replication, time, target, kind of event, more in words."""
    lines = [
        ",".join((str(number), repr(event.time_s), *map(csv_cell, event[1:])))
        for number, record in enumerate(records)
        if record is not None
        for event in record.events
    ]
    return "\n".join(["replication,time_s,target,what,detail", *lines]) + "\n"


def in_order(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans by request and start, as they stand in ``tasks.csv``."""
    return tuple(sorted(spans, key=lambda span: (span.request, span.start_s, span.end_s)))


class Requests(Protocol):
    """Requests of all replications, one after the other, in pieces."""

    def pieces(self) -> Iterator[Columns]:
        """Yield the requests in order, from the first one each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Requests in memory; NaN where there is no answer.

    Attributes:
        replication: number, shape (requests,).
        index: number of the request in its replication, shape (requests,).
        arrival_s: time of arrival from the start, in seconds.
        latency_s: time from arrival to answer, in seconds.
        breakdown_s: ``queue``, ``compute``, ``transfer``, ``fusion``, each (requests,).
    """

    replication: NDArray[np.int64]
    index: NDArray[np.int64]
    arrival_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    breakdown_s: Mapping[str, NDArray[np.float64]]

    def pieces(self) -> Iterator[Columns]:
        """Yield all of them as one piece."""
        yield self


def answered_s(requests: Requests, warmup: int = 0) -> NDArray[np.float64]:
    """Return latencies of answered requests, but of the first ``warmup`` ones of each replication.

    In seconds, in the order of the requests, shape (counted,).
    """
    found = [piece.latency_s[counted(piece, warmup)] for piece in requests.pieces()]
    return _joined(found) if found else np.zeros(0)


def counted(piece: Columns, warmup: int) -> NDArray[np.bool_]:
    """Return which requests statistics count: answered, after the warm-up. Shape (requests,)."""
    found: NDArray[np.bool_] = np.isfinite(piece.latency_s) & (piece.index >= warmup)
    return found


def columns(recordings: Sequence[Recording]) -> Columns:
    """Return the requests of all replications; those of a single one are not copied."""
    sizes = [len(one.latency_s) for one in recordings]
    return Columns(
        replication=_joined([np.broadcast_to(n, size) for n, size in enumerate(sizes)]),
        index=_joined([np.arange(size) for size in sizes]),
        arrival_s=_joined([one.arrival_s for one in recordings]),
        latency_s=_joined([one.latency_s for one in recordings]),
        breakdown_s={part: _joined([_answered(one, part) for one in recordings]) for part in PARTS},
    )


def _answered(recording: Recording, part: str) -> NDArray[np.float64]:
    """Return a part of the latencies; NaN where there is no answer."""
    answered = np.isfinite(recording.latency_s)
    values = recording.breakdown_s[part]
    return values if answered.all() else np.where(answered, values, np.nan)


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


@dataclass(frozen=True, slots=True)
class RequestsFile:
    """Requests in a ``requests.csv``, which may be larger than the memory.

    Attributes:
        path: path of the file.
        folder: folder that it must lie in; its own by default.
        progress: called with what is done, and the bytes that were read of how many.
    """

    path: Path
    folder: Path | None = None
    progress: Progress = lambda label, done, total: None

    def pieces(self) -> Iterator[Columns]:
        """Yield the requests in pieces.

        Raises:
            InputError: it is missing or damaged, or see `edgesim.common.files.open_inside`.
        """
        hint = "; simulate fewer requests for a page"
        with _opened(self.path, self.folder, LARGEST_REQUESTS_BYTES, hint) as file:
            size, read = os.fstat(file.fileno()).st_size, 0
            rows = _rows(file, self.path, REQUESTS, more="source")
            while piece := list(islice(rows, _ROWS)):
                if (read := read + len(piece)) > _MOST_REQUESTS:
                    raise InputError(
                        f"{self.path}: expected at most {_MOST_REQUESTS:,} requests{hint}"
                    )
                yield self._piece(piece)
                self.progress(f"reading {self.path.name}", min(file.tell(), size), size)

    def _piece(self, rows: list[list[str]]) -> Columns:
        replication, request, *times = zip(*rows, strict=True)
        try:
            numbers = [np.array([*map(int, cells)], np.int64) for cells in (replication, request)]
            arrival_s, latency_s, *parts_s = (
                np.array([float(cell or "nan") for cell in cells])
                for cells in times[: 2 + len(PARTS)]
            )
        except (ValueError, OverflowError):
            raise InputError(f"{self.path} is damaged: a time is no number") from None
        return Columns(
            replication=numbers[0],
            index=numbers[1],
            arrival_s=arrival_s,
            latency_s=latency_s,
            breakdown_s=dict(zip(PARTS, parts_s, strict=True)),
        )


def read_spans(path: Path) -> tuple[Span, ...]:
    """Return the spans in a ``tasks.csv``.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with _opened(path, None, LARGEST_TABLE_BYTES, "; trace fewer requests (--trace)") as file:
            return tuple(
                Span(
                    int(request), cell_text(task), cell_text(node), cell_text(target), kind,
                    float(start_s), float(end_s), float(joules or "nan"),
                )
                for request, task, node, kind, start_s, end_s, joules, target
                in _rows(file, path, TASKS)
            )  # fmt: skip
    except ValueError:
        raise InputError(f"{path} is damaged: a time is no number") from None


@contextlib.contextmanager
def _opened(
    path: Path, folder: Path | None, largest_bytes: int, hint: str = ""
) -> Iterator[BinaryIO]:
    """Open a table; see `open_inside` for ``folder``."""
    try:
        with open_inside(path, folder, largest_bytes, hint) as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is damaged: no CSV") from None


def _rows(
    file: BinaryIO, path: Path, columns: tuple[str, ...], more: str = ""
) -> Iterator[list[str]]:
    """Yield the rows of a table with these columns, and perhaps one ``more``.

    A row is a line, of a bounded length: quotes in a damaged file could join all of its lines.
    """
    wrong = InputError(f"{path} is damaged: expected the columns {', '.join(columns)}")
    lines_of_row = 0

    def lines() -> Iterator[str]:
        nonlocal lines_of_row
        while line := file.readline(_LONGEST_LINE):
            lines_of_row += 1
            if len(line) == _LONGEST_LINE or lines_of_row > 1:
                raise wrong
            yield line.decode("utf-8")

    width = 0
    for row in csv.reader(lines()):
        lines_of_row = 0
        if not row:
            continue
        if len(row) != width if width else tuple(row) not in (columns, (*columns, more)):
            raise wrong
        if width:
            yield row
        width = len(row)
    if not width:
        raise wrong
