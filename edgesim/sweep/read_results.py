"""From a study file's ``keep`` and ``optimize`` to results, aims and bounds."""

from __future__ import annotations

from collections.abc import Sequence

from edgesim.common.errors import InputError
from edgesim.common.validation import Path, Problem, values
from edgesim.sweep.aims import Aim, Aims, Bound, bound, split
from edgesim.sweep.points import Points
from edgesim.sweep.results import DEFAULT, SETTLED, Kept, kept
from edgesim.sweep.schema import Optimize, Search, StudySpec
from edgesim.sweep.table import Column


def read_kept(spec: StudySpec, axes: Sequence[Column], found: list[Problem]) -> list[Kept]:
    """Return the results that a study keeps, `SETTLED` always; ``found`` gets what is wrong."""
    results: dict[str, Kept] = {}
    for index, text in enumerate(DEFAULT if spec.keep is None else spec.keep):
        try:
            one = kept(text)
        except InputError as error:
            found.append(Problem(("keep", index), str(error)))
            continue
        if one.column.name in results:
            found.append(Problem(("keep", index), f"'{one.column.name}' is kept already"))
        results[one.column.name] = one
    if not results and not found:
        found.append(Problem(("keep",), "expected at least one result, got none"))
    for index, axis in enumerate(axes):
        if axis.name in results:
            # Such as `replications`, which is a key and a result.
            if spec.keep is not None:
                found.append(Problem(("keep",), f"'{axis.name}' is the axis {index + 1} already"))
            del results[axis.name]
    return list((results | {SETTLED: kept(SETTLED)}).values())


def read_aims(
    spec: Optimize, points: Points, results: Sequence[Kept], found: list[Problem]
) -> tuple[Aims | None, list[Kept]]:
    """Return the aims of a search, and the results with those that it needs beside them."""
    by_name = {one.column.name: one for one in results}
    axes = {axis.column.name: axis.column for axis in points.axes}

    def column(path: Path, name: str) -> Column | None:
        if name in axes:
            return axes[name]
        try:
            one = kept(name)
        except InputError as error:
            found.append(Problem(path, str(error)))
            return None
        return by_name.setdefault(one.column.name, one).column

    aims: tuple[Aim, ...] = ("minimize", "maximize")
    goals: list[tuple[str, Aim]] = []
    for aim in aims:
        for index, name in enumerate(getattr(spec, aim)):
            path: Path = ("optimize", aim, index)
            one = column(path, name)
            if one is not None and one.kind != "number":
                found.append(Problem(path, f"'{name}' is text, which is neither small nor large"))
            elif one is not None and one.name in dict(goals):
                found.append(Problem(path, f"'{one.name}' is an aim already"))
            elif one is not None:
                goals.append((one.name, aim))
    bounds: list[tuple[str, Bound]] = []
    for index, text in enumerate(spec.subject_to):
        path = ("optimize", "subject_to", index)
        try:
            name, sign, limit = split(text)
            one = column(path, name)
            if one is not None:
                bounds.append((one.name, bound(one, sign, limit)))
        except InputError as error:
            found.append(Problem(path, str(error)))
    if len(dict(bounds)) < len(bounds):
        found.append(Problem(("optimize", "subject_to"), "expected one bound of each result"))
    if not spec.minimize and not spec.maximize:
        found.append(Problem(("optimize",), "expected something to 'minimize' or to 'maximize'"))
    made = Aims(goals=tuple(goals), bounds=tuple(bounds), **values(spec, Search))
    return made, list(by_name.values())
