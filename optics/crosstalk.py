"""A measured crosstalk kernel of a modulator: how one pixel's drive spreads over its neighbours."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from optics.errors import InputError

_LARGEST = 101
"""Rows and columns of a kernel: a measured one spans a few pixels."""


@dataclass(frozen=True, slots=True)
class CrosstalkKernel:
    """Weights with which the drive of a point of a display goes to points around it.

    The drive that light meets is the drive of the pixels, constant over each, once for every weight
    w, shifted by its place and multiplied by w. With one weight per pixel that is a convolution of
    the pixels. Weights are scaled to a sum of 1, so that an even drive stays as it is.

    Attributes:
        weights: rows of weights, an odd number each way, the middle one no shift; at or above 0.
            Rows go down the display, columns to the right.
        samples: weights per pixel and axis.

    Raises:
        InputError: rows of different lengths, an even number of them or of columns, a weight below
            0 or not finite, no weight above 0, or ``samples`` below 1.
    """

    weights: tuple[tuple[float, ...], ...]
    samples: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.samples, bool) or not isinstance(self.samples, int) or self.samples < 1:
            raise InputError(
                "crosstalk kernel: samples must be a whole number of weights per pixel of at least "
                f"1; got {self.samples!r}"
            )
        rows = tuple(tuple(float(one) for one in row) for row in self.weights)
        sides = len(rows), len(rows[0]) if rows else 0
        if any(len(row) != sides[1] for row in rows) or min(sides) < 1:
            raise InputError("crosstalk kernel: weights must be rows of one length, at least one")
        if not all(side % 2 and side <= _LARGEST for side in sides):
            raise InputError(
                f"crosstalk kernel: weights must be an odd number of rows and columns of at most "
                f"{_LARGEST}, the middle one no shift; got {sides[0]} x {sides[1]}"
            )
        for down, row in enumerate(rows):
            for right, one in enumerate(row):
                if not (math.isfinite(one) and one >= 0):
                    raise InputError(
                        f"crosstalk kernel, row {down + 1}, column {right + 1}: a weight must be "
                        f"finite and at or above 0; got {one!r}"
                    )
        total = math.fsum(one for row in rows for one in row)
        if total == 0:
            raise InputError("crosstalk kernel: one weight must be above 0")
        object.__setattr__(self, "weights", tuple(tuple(w / total for w in row) for row in rows))

    @classmethod
    def read(cls, path: str | Path, samples: int = 1) -> CrosstalkKernel:
        """Return the kernel of a CSV file, a line for each row of weights.

        Args:
            path: of the file; lines that begin with ``#`` are comments, and ``# samples: 4`` among
                them takes the place of ``samples``.
            samples: weights per pixel and axis.

        Raises:
            InputError: the file cannot be read, or a line holds anything but numbers; the message
                names the line.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a text file: {error}") from None
        rows: list[tuple[float, ...]] = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("#"):
                name, _, value = line.lstrip("# ").partition(":")
                if name.strip() == "samples":
                    samples = _whole(path, number, value)
            elif line.strip():
                rows.append(_numbers(path, number, line))
        try:
            return cls(tuple(rows), samples)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def shares(self, samples: int) -> NDArray[np.float64]:
        """Return the share of each neighbour's drive in the samples of a pixel.

        Exact, each sample a mean over its area: along an axis, the share of pixel k in a sample
        by a weight at t is the part of the sample that the pixel, moved by t, covers.

        Args:
            samples: per pixel and axis.

        Returns:
            (samples, samples, rows, columns): for each sample of a pixel, over the pixels around
            it, the middle one itself; sums over the last two axes are 1.
        """
        kernel = np.array(self.weights)
        down, right = (_along(count, self.samples, samples) for count in kernel.shape)
        shares: NDArray[np.float64] = np.einsum(
            "ij,aik,bjl->abkl", kernel, down, right, optimize=True
        )
        return shares


def _along(weights: int, per_pixel: int, samples: int) -> NDArray[np.float64]:
    """Return (samples, weights, pixels): the part of a sample that each moved pixel covers."""
    reach = math.ceil(weights // 2 / per_pixel)
    pixel = np.arange(-reach, reach + 1, dtype=np.float64)
    edge = np.arange(samples + 1) / samples - 0.5
    place = (np.arange(weights) - weights // 2) / per_pixel
    start = place[None, :, None] + pixel[None, None, :] - 0.5
    low = np.maximum(edge[:-1, None, None], start)
    high = np.minimum(edge[1:, None, None], start + 1)
    return np.asarray(np.maximum(high - low, 0.0) * samples)


def _numbers(path: str | Path, number: int, line: str) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in next(csv.reader([line], skipinitialspace=True)))
    except ValueError:
        raise InputError(
            f"{path}:{number}: expected weights between commas; got {line!r}"
        ) from None


def _whole(path: str | Path, number: int, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InputError(
            f"{path}:{number}: samples must be a whole number; got {value.strip()!r}"
        ) from None
