"""``requests.csv``, ``tasks.csv`` and ``faults.csv``: one line a request, task or event."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgesim.common.errors import InputError
from edgesim.simulate import Outcome, Recording, Span
from edgesim.simulate.recording import PARTS, FaultRecord

REQUESTS = (
    "replication", "request", "arrival_s", "latency_s", "queue_s", "compute_s", "transfer_s",
    "fusion_s", "outcome",
)  # fmt: skip
TASKS = ("request", "task", "node", "kind", "start_s", "end_s", "joules", "target")


def requests(recordings: Sequence[Recording]) -> str:
    """Return ``requests.csv``; times with all their digits, empty where there is no answer."""
    lines = [",".join(REQUESTS)]
    names = {one.value: one.name.lower() for one in Outcome}
    for number, recording in enumerate(recordings):
        parts = [recording.breakdown_s[part].tolist() for part in PARTS]
        columns = zip(
            recording.arrival_s.tolist(),
            recording.latency_s.tolist(),
            *parts,
            recording.outcome.tolist(),
            strict=True,
        )
        for index, (arrival, *times, outcome) in enumerate(columns):
            answered = times[0] == times[0]  # not NaN
            text = ",".join(map(repr, times)) if answered else ",,,,"
            lines.append(f"{number},{index},{arrival!r},{text},{names[outcome]}")
    return "\n".join(lines) + "\n"


def tasks(recording: Recording) -> str:
    """Return ``tasks.csv``: the spans of the first requests, by request and start.

    Joules are empty where they were not measured.
    """
    lines = [",".join(TASKS)]
    for span in in_order(recording.spans):
        task, node, target = (_field(text) for text in (span.task, span.node, span.target))
        joules = "" if math.isnan(span.joules) else repr(span.joules)
        lines.append(
            f"{span.request},{task},{node},{span.kind},{span.start_s!r},{span.end_s!r},"
            f"{joules},{target}"
        )
    return "\n".join(lines) + "\n"


def faults(records: Sequence[FaultRecord | None]) -> str:
    """Return ``faults.csv``: replication, time, target, kind of event, more in words."""
    lines = [
        ",".join((str(number), repr(event.time_s), *map(_field, event[1:])))
        for number, record in enumerate(records)
        if record is not None
        for event in record.events
    ]
    return "\n".join(["replication,time_s,target,what,detail", *lines]) + "\n"


def in_order(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans by request and start, as they stand in ``tasks.csv``."""
    return tuple(sorted(spans, key=lambda span: (span.request, span.start_s, span.end_s)))


@cache
def _field(text: str) -> str:
    if any(letter in text for letter in ',"\n\r'):
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Requests of all replications, one after the other; NaN where there is no answer.

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

    @property
    def answered_s(self) -> NDArray[np.float64]:
        """Latencies of the answered requests, in seconds, shape (answered,)."""
        return self.latency_s[np.isfinite(self.latency_s)]


def columns(recordings: Sequence[Recording]) -> Columns:
    """Return the requests of all replications."""
    sizes = [len(one.latency_s) for one in recordings]
    return Columns(
        replication=np.repeat(np.arange(len(sizes)), sizes),
        index=np.concatenate([np.arange(size) for size in sizes]),
        arrival_s=np.concatenate([one.arrival_s for one in recordings]),
        latency_s=np.concatenate([one.latency_s for one in recordings]),
        breakdown_s={
            part: np.concatenate(
                [np.where(np.isfinite(one.latency_s), one.breakdown_s[part], np.nan)
                 for one in recordings]
            )
            for part in PARTS
        },
    )  # fmt: skip


def read_columns(path: Path) -> Columns:
    """Return the requests in a ``requests.csv``.

    Raises:
        InputError: it is missing or damaged.
    """
    rows = _rows(path, REQUESTS)

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([float(row[name] or "nan") for row in rows], float)

    try:
        return Columns(
            replication=np.array([int(row["replication"]) for row in rows], np.int64),
            index=np.array([int(row["request"]) for row in rows], np.int64),
            arrival_s=numbers("arrival_s"),
            latency_s=numbers("latency_s"),
            breakdown_s={part: numbers(f"{part}_s") for part in PARTS},
        )
    except ValueError:
        raise InputError(f"{path} is damaged: a time is no number") from None


def read_spans(path: Path) -> tuple[Span, ...]:
    """Return the spans in a ``tasks.csv``.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return tuple(
            Span(
                int(row["request"]), row["task"], row["node"], row["target"], row["kind"],
                float(row["start_s"]), float(row["end_s"]), float(row["joules"] or "nan"),
            )
            for row in _rows(path, TASKS)
        )  # fmt: skip
    except ValueError:
        raise InputError(f"{path} is damaged: a time is no number") from None


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            names = tuple(reader.fieldnames or ())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is damaged: no CSV") from None
    if names != columns or any(None in row.values() or None in row for row in rows):
        raise InputError(f"{path} is damaged: expected the columns {', '.join(columns)}")
    return rows
