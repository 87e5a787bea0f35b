"""A measured look-up table of a modulator: phase and amplitude of each level."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from optics.errors import InputError

_COLUMNS = ("level", "phase_rad", "amplitude")


@dataclass(frozen=True, slots=True)
class LookUpTable:
    """Phase and amplitude that each level of a liquid-crystal display gives to light.

    Attributes:
        phase_rad: phase of each level, in radians, as measured; it may be above 2π.
        amplitude: field amplitude of each level per unit of light, from 0 to 1.

    Raises:
        InputError: fewer than two levels, lists of different lengths, a phase that is not finite,
            an amplitude out of its range, or no light at any level.
    """

    phase_rad: tuple[float, ...]
    amplitude: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.phase_rad) != len(self.amplitude) or len(self.phase_rad) < 2:
            raise InputError(
                "a look-up table has a phase and an amplitude for each of at least two levels; got "
                f"{len(self.phase_rad)} phases and {len(self.amplitude)} amplitudes"
            )
        for level, (phase, amplitude) in enumerate(
            zip(self.phase_rad, self.amplitude, strict=True)
        ):
            if not math.isfinite(phase):
                raise InputError(f"level {level}: phase_rad must be finite; got {phase!r}")
            if not 0 <= amplitude <= 1:
                raise InputError(f"level {level}: amplitude must be from 0 to 1; got {amplitude!r}")
        if max(self.amplitude) == 0:
            raise InputError("a look-up table needs a level with an amplitude above 0")

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.phase_rad)

    @classmethod
    def read(cls, path: str | Path) -> LookUpTable:
        """Return the table of a CSV file with the columns level, phase_rad and amplitude.

        The first line names the columns, in any order; levels count up from 0.

        Raises:
            InputError: the file cannot be read, a column is missing, or a line holds no such level
                or number; the message names the line.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a text file: {error}") from None
        reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
        lacking = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(
                f"{path}: the first line must name the columns {', '.join(_COLUMNS)}; "
                f"{', '.join(lacking)} not found"
            )
        phases: list[float] = []
        amplitudes: list[float] = []
        for row in reader:
            level, phase, amplitude = (_number(path, reader.line_num, row, one) for one in _COLUMNS)
            if level != len(phases):
                raise InputError(
                    f"{path}:{reader.line_num}: expected level {len(phases)}, got {level:g}; "
                    "levels count up from 0, one on each line"
                )
            phases.append(phase)
            amplitudes.append(amplitude)
        try:
            return cls(tuple(phases), tuple(amplitudes))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _number(path: str | Path, line: int, row: dict[str, str | None], name: str) -> float:
    try:
        return float(row[name] or "")
    except ValueError:
        raise InputError(
            f"{path}:{line}: {name} must be a number; got {row[name] or ''!r}"
        ) from None
