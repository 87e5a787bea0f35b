"""From a study file's ``axes``, ``points`` and ``combine`` to points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from edgesim.common.text import described
from edgesim.common.validation import Path, Problem, read_section
from edgesim.sweep.axes import Axis, ListAxis, RangeError, Value, list_axis, range_axis
from edgesim.sweep.points import Grid, Listed, Points, Random
from edgesim.sweep.schema import Combine, Range, StudySpec

Places = dict[str, Path]
"""Place of each axis in the study file, by key path."""


def read_points(
    spec: StudySpec, found: list[Problem], *, search: bool
) -> tuple[Points | None, Places]:
    """Return the points, and the place of each axis; None where something is wrong with them.

    Args:
        spec: specification of the study.
        found: gets the problems.
        search: whether points come from a search, which needs no steps and no ``combine``.
    """
    before = len(found)
    if spec.combine.kind == "list" or (spec.points is not None and spec.axes is None):
        points, places = _listed(spec, found)
        return (points if len(found) == before else None), places
    if spec.points is not None:
        found.append(Problem(("points",), "go with 'combine: list', without 'axes'", True))
    groups: list[tuple[Axis, ...]] = []
    places = Places()
    for path, mapping in _groups(spec.axes, found):
        group = []
        for key, written in mapping.items():
            place = (*path, key)
            if key in places:
                found.append(Problem(place, "is an axis already", True))
            places[key] = place
            axis = _axis(key, written, place, found)
            if axis is not None:
                group.append(axis)
        groups.append(tuple(group))
    _check_combine(spec.combine, found, search=search)
    if len(found) > before:
        return None, places
    if search:
        return Random(tuple(axis for group in groups for axis in group), 1, 0), places
    return _combined(spec.combine, groups, places, found), places


def _groups(axes: Any, found: list[Problem]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield each group of axes that vary together, and its place."""
    if isinstance(axes, dict) and axes:
        for key, written in axes.items():
            yield ("axes",), {key: written}
    elif isinstance(axes, list) and axes:
        for index, one in enumerate(axes):
            if isinstance(one, dict) and one:
                yield ("axes", index), one
            else:
                message = f"expected a mapping of key paths to values, got {described(one)}"
                found.append(Problem(("axes", index), message))
    else:
        came = "none" if axes in (None, {}, []) else described(axes)
        message = f"expected key paths of the scenario and their values, got {came}"
        found.append(Problem(("axes",) if axes is not None else (), message))


def _axis(key: str, written: Any, place: Path, found: list[Problem]) -> Axis | None:
    if isinstance(written, list):
        if not written:
            found.append(Problem(place, "expected at least one value, got an empty list"))
            return None
        return list_axis(key, written)
    if not isinstance(written, dict):
        message = "expected a list of values, or {from: …, to: …, steps: …}"
        found.append(Problem(place, f"{message}, got {described(written)}"))
        return None
    given = read_section(Range, written, found, place)
    if given is None:
        return None
    try:
        return range_axis(key, given)
    except RangeError as error:
        found.append(Problem((*place, error.key), error.message))
        return None


def _check_combine(spec: Combine, found: list[Problem], *, search: bool) -> None:
    if search and spec.kind != "grid":
        found.append(Problem(("combine",), "a search chooses its points itself", True))
    if spec.kind == "random":
        if spec.count is None:
            found.append(Problem(("combine",), "random needs a 'count', such as 100"))
        return
    found += [
        Problem(("combine", key), f"'{key}' belongs to random, not to {spec.kind}", True)
        for key in ("count", "seed")
        if getattr(spec, key) is not None
    ]


def _combined(
    spec: Combine, groups: list[tuple[Axis, ...]], places: Places, found: list[Problem]
) -> Points | None:
    if spec.kind == "random":
        axes = tuple(axis for group in groups for axis in group)
        return Random(axes, spec.count or 0, spec.seed or 0)
    if spec.kind == "zip":
        groups = [tuple(axis for group in groups for axis in group)]
    for group in groups:
        for axis in group:
            key = axis.column.name
            if not len(axis):
                message = f"expected 'steps', without which a {spec.kind} has no end"
                found.append(Problem(places[key], message))
            elif len(axis) != len(group[0]) and len(group[0]):
                message = f"goes with '{group[0].column.name}', which has {len(group[0]):,} values"
                found.append(Problem(places[key], f"{message}; got {len(axis):,}"))
    return None if found else Grid(tuple(groups))


def _listed(spec: StudySpec, found: list[Problem]) -> tuple[Points | None, Places]:
    places = Places()
    if spec.axes is not None:
        found.append(Problem(("axes",), "a list has 'points' in the place of 'axes'", True))
    _check_combine(replace(spec.combine, kind="list"), found, search=False)
    if not spec.points:
        at: Path = ("points",) if spec.points is not None else ("combine",)
        message = "expected 'points': at least one mapping of key paths to values, got none"
        found.append(Problem(at, message))
        return None, places
    columns: dict[str, dict[int, Any]] = {}
    for index, one in enumerate(spec.points):
        if not isinstance(one, dict) or not one:
            message = f"expected a mapping of key paths to values, got {described(one)}"
            found.append(Problem(("points", index), message))
            continue
        for key, value in one.items():
            places.setdefault(key, ("points", index, key))
            columns.setdefault(key, {})[index] = value
    axes: list[ListAxis] = []
    cells: list[list[Value | None]] = []
    for key, given in columns.items():
        axis = list_axis(key, list(given.values()))
        by_point = dict(zip(given, axis.values, strict=True))
        axes.append(axis)
        cells.append([by_point.get(index) for index in range(len(spec.points))])
    return Listed(tuple(axes), tuple(zip(*cells, strict=True))), places
