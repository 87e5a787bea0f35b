"""Results at each value of each knob, as CSV and as Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from light_knobs import KNOBS
from light_statistics import differs, wilson

from partition.errors import InputError
from partition.files import write_atomic

NAMES: Mapping[str, str] = {"trained": "as trained", "tuned": "tuned with noise"}
"""Names of the models in the table and the pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Answers of one model at one value of a knob.

    Attributes:
        model: key of :data:`NAMES`.
        knob: name of the knob.
        value: value of the knob.
        images: number of images.
        right: correct answers on light.
        electronic: right answers of the same model on the same images, without light.
        lost: images that are wrong on light and right in electronics.
        won: images that are right on light and wrong in electronics.
        same: images with the same answer in both, right or wrong.
        off: largest difference of a logit.
        saturated: readings at the camera's limit.
        exposures: exposures of the camera.
        process_s: processor time, in seconds.
    """

    model: str
    knob: str
    value: float
    images: int
    right: int
    electronic: int
    lost: int
    won: int
    same: int
    off: float
    saturated: int
    exposures: int
    process_s: float


def save(path: Path, points: Sequence[Point]) -> None:
    """Write points as CSV, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Point)], lineterminator="\n")
    writer.writeheader()
    for point in points:
        row = asdict(point)
        row["off"], row["process_s"] = f"{point.off:.3g}", f"{point.process_s:.2f}"
        writer.writerow(row)
    write_atomic(path, text.getvalue().encode())


def load(path: Path) -> list[Point]:
    """Return the points of a CSV.

    Raises:
        InputError: the file is missing, or is no table of points.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [_point(row) for row in rows]
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} holds no table of points ({error}); run without --table to make it"
        ) from error


def _point(row: Mapping[str, str]) -> Point:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": float}
    return Point(**{field.name: kinds[str(field.type)](row[field.name]) for field in fields(Point)})


def markdown(points: Sequence[Point]) -> str:
    """Return one table for each knob that has several values, and one for all others."""
    curves = [point for point in points if len(KNOBS[point.knob].values) > 1]
    single = [point for point in points if len(KNOBS[point.knob].values) == 1]
    parts = [_rows("system", single, [KNOBS[p.knob].label for p in single])] if single else []
    for knob, group in groupby(sorted(curves, key=_order), key=lambda point: point.knob):
        of_knob = list(group)
        parts.append(_rows(KNOBS[knob].label, of_knob, [f"{point.value:g}" for point in of_knob]))
    return "\n".join(parts)


def _order(point: Point) -> tuple[int, float, int]:
    knob = KNOBS[point.knob]
    at = knob.values.index(point.value) if point.value in knob.values else len(knob.values)
    return list(KNOBS).index(point.knob), at, list(NAMES).index(point.model)


def _rows(what: str, points: Sequence[Point], named: Sequence[str]) -> str:
    lines = [
        f"| {what} | model | images | by light (95 %) | electronic | lost, won | same answer |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, point in zip(named, points, strict=True):
        low, high = wilson(point.right, point.images)
        sure = " *" if differs(point.lost, point.won) else ""
        lines.append(
            f"| {name} | {NAMES[point.model]} | {point.images} "
            f"| {point.right / point.images:.1%} ({low:.1%} to {high:.1%}) "
            f"| {point.electronic / point.images:.1%} | {point.lost}, {point.won}{sure} "
            f"| {point.same / point.images:.1%} |"
        )
    return "\n".join(lines) + "\n"
