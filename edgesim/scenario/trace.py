"""Files of arrival times."""

from __future__ import annotations

from pathlib import Path

from edgesim.common import units
from edgesim.common.errors import InputError
from edgesim.scenario.files import read_text

LARGEST_BYTES = 512_000_000


def read_times(path: Path) -> tuple[float, ...]:
    """Return the arrival times of a trace file, in seconds.

    One a line, ascending, in seconds or with a unit; ``#`` begins a comment.

    Raises:
        InputError: the file cannot be read, holds no time, or a line is no time of at least 0 or
            is before the one above; the message names the line.
    """
    times: list[float] = []
    before = 0.0
    text = read_text(path, LARGEST_BYTES, "a trace", regular=True)
    for number, line in enumerate(text.split("\n"), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            time_s = units.parse(entry, "time")
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if time_s < 0.0:
            raise InputError(f"{path}:{number}: expected a time of at least 0, got {entry[:60]}")
        if time_s < before:
            raise InputError(
                f"{path}:{number}: expected ascending times, got {time_s:g} s after {before:g} s"
            )
        times.append(time_s)
        before = time_s
    if not times:
        raise InputError(f"{path}: expected arrival times, one a line, got only comments")
    return tuple(times)
