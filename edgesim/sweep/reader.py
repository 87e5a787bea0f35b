"""Reading studies: files, text, and plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, read_section, values
from edgesim.scenario.document import Document, ScenarioError, of_data, read_file
from edgesim.scenario.named_files import take_in
from edgesim.scenario.overrides import override
from edgesim.sweep.aims import Aim, Aims, Bound, bound, split
from edgesim.sweep.check import check
from edgesim.sweep.points import Points
from edgesim.sweep.read_points import read_points
from edgesim.sweep.results import DEFAULT, RANGES, SETTLED, ResultColumn, result_column
from edgesim.sweep.schema import Optimize, Search, StudySpec
from edgesim.sweep.study import Base, Study
from edgesim.sweep.table import Column


def load(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study file.

    Args:
        path: of the file; the study is named after it unless it has a ``name``.
        overrides: ``key.path=value`` settings that replace values of the base scenario.

    Raises:
        InputError: it cannot be read, or says something wrong, or its first point does; one line
            for each problem, with file, line and column.
    """
    file = Path(path)
    return _read(read_file(file, what="a study"), file.stem, file.parent, overrides)


def is_study(path: Path) -> bool:
    """Return whether a file holds a study: a mapping with a ``base``. False where it is no YAML."""
    try:
        # A pipe could not be read a second time.
        data = read_file(path, what="a study").data if path.is_file() else None
    except InputError:
        return False
    return isinstance(data, dict) and "base" in data


def from_mapping(
    mapping: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    name: str = "the study",
    title: str = "study",
    folder: str | Path = ".",
    checked: bool = False,
) -> Study:
    """Read a study from plain data: the content of a study file.

    Args:
        mapping: data of the study.
        overrides: as of `load`.
        name: name of the data in messages.
        title: name of the study unless it has a ``name``.
        folder: folder that the path of its base, and paths in it, are relative to.
        checked: another process has checked it.

    Raises:
        InputError: it says something wrong.
    """
    return _read(of_data(mapping, name), title, Path(folder), overrides, checked=checked)


def _read(
    document: Document,
    title: str,
    folder: Path,
    overrides: Sequence[str],
    *,
    checked: bool = False,
) -> Study:
    data = document.mapping("a mapping with 'base', 'axes' and more")
    found: list[Problem] = []
    spec = read_section(StudySpec, data, found)
    if spec is None:
        if "base" not in data and {"model", "traffic"} <= set(data):
            message = "this is a scenario; a study names one as 'base', and has 'axes'"
            found = [Problem((), message)]
        raise ScenarioError(document.located(found))
    points, places = read_points(spec, found, search=spec.optimize is not None)
    axes = [axis.column for axis in points.axes] if points is not None else []
    results = _read_results(spec, axes, found)
    base = _base(spec, document, title, folder, overrides, found)
    aims = None
    if spec.optimize is not None and points is not None:
        aims, results = _read_aims(spec.optimize, points, results, found)
    if found or base is None or points is None:
        raise ScenarioError(document.located(found))
    study = Study(
        name=spec.name or title,
        base=base,
        points=points,
        results=tuple(results),
        aims=aims,
        document={**data, "base": base.document.data},
        titles={key: document.title(path, True) for key, path in places.items()},
    )
    return study if checked else check(study, default_results=spec.keep is None)


def _base(
    spec: StudySpec,
    document: Document,
    title: str,
    folder: Path,
    overrides: Sequence[str],
    found: list[Problem],
) -> Base | None:
    """Return the base scenario with the study's seed and replications in it."""
    inside = document.under("base")
    if isinstance(spec.base, str):
        path = folder / spec.base
        title, folder = path.stem, path.parent
        try:
            inside = read_file(path)
        except ScenarioError:
            raise
        except InputError as error:
            found.append(Problem(("base",), str(error)))
            return None
    base = inside.mapping("a scenario")
    # Files of devices are read here, once.
    wrong = [*override(inside, overrides), *inside.located(take_in(base, folder))]
    if wrong:
        raise ScenarioError(wrong)
    given = {"seed": spec.seed, "replications": spec.replications}
    base |= {key: value for key, value in given.items() if value is not None}
    return Base(document=inside, title=title, folder=folder)


def _read_results(
    spec: StudySpec, axes: Sequence[Column], found: list[Problem]
) -> list[ResultColumn]:
    """Return the results of a study, `SETTLED` always; ``found`` gets the problems."""
    results: dict[str, ResultColumn] = {}
    usual = (*DEFAULT, *RANGES) if spec.range else DEFAULT
    for index, text in enumerate(usual if spec.keep is None else spec.keep):
        try:
            one = result_column(text)
        except InputError as error:
            found.append(Problem(("keep", index), str(error)))
            continue
        if one.of_ranges and not spec.range:
            message = f"'{one.column.name}' needs 'range: true' beside 'keep'"
            found.append(Problem(("keep", index), message))
        if one.column.name in results:
            found.append(Problem(("keep", index), f"'{one.column.name}' is in the list already"))
        results[one.column.name] = one
    if not results and not found:
        found.append(Problem(("keep",), "expected at least one result, got none"))
    for index, axis in enumerate(axes):
        if axis.name in results:
            # Such as `replications`, which is a key and a result.
            if spec.keep is not None:
                found.append(Problem(("keep",), f"'{axis.name}' is the axis {index + 1} already"))
            del results[axis.name]
    return list((results | {SETTLED: result_column(SETTLED)}).values())


def _read_aims(
    spec: Optimize, points: Points, results: Sequence[ResultColumn], found: list[Problem]
) -> tuple[Aims | None, list[ResultColumn]]:
    """Return the aims of a search, and the results, with those that the aims need."""
    by_name = {one.column.name: one for one in results}
    axes = {axis.column.name: axis.column for axis in points.axes}

    def column(path: KeyPath, name: str) -> Column | None:
        if name in axes:
            return axes[name]
        try:
            one = result_column(name)
        except InputError as error:
            found.append(Problem(path, str(error)))
            return None
        return by_name.setdefault(one.column.name, one).column

    aims: tuple[Aim, ...] = ("minimize", "maximize")
    goals: list[tuple[str, Aim]] = []
    for aim in aims:
        for index, name in enumerate(getattr(spec, aim)):
            path: KeyPath = ("optimize", aim, index)
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
