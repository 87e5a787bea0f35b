"""Checks of a study before anything runs: a scenario for every value of every axis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgesim.common.errors import InputError, nearest
from edgesim.common.text import shortened
from edgesim.scenario import Scenario
from edgesim.scenario.document import ScenarioError
from edgesim.sweep.axes import Axis, ListAxis, Value, ends
from edgesim.sweep.points import Grid, Listed
from edgesim.sweep.results import ACCURACY, result_column
from edgesim.sweep.study import Settings, Study

MOST_CHECKED = 100
"""Values of an axis that are checked; of a longer one, the first so many and the last."""
MOST_TRIED = 8
"""Points with a value that are tried before the value is refused."""
PointValues = Sequence[Value | None]
"""A value for each axis; None where the base scenario's value stays."""


def check(study: Study, *, default_results: bool) -> Study:
    """Return the study, with the results that belong to its model.

    A scenario is read for every value of every axis, the other axes at their first values. Where it
    is wrong, other values of these axes are tried: a value that is wrong beside all of them is an
    error, and a value that is wrong beside some of them is the error of those points' rows.

    Args:
        study: to check.
        default_results: whether the file leaves open which results to keep.

    Raises:
        ScenarioError: some values, or those of the first point together, are wrong; one line for
            each problem.
        InputError: a result names a node, link or baseline that does not exist.
    """
    found: dict[str, None] = {}
    notes: dict[str, None] = {}
    for where, points in _points_by_value(study):
        wrong: Sequence[str] = ()
        for values in points:
            try:
                scenario = study.base.scenario(study.settings(values), study.titles)
            except ScenarioError as error:
                wrong = wrong or error.problems
            else:
                notes |= dict.fromkeys(scenario.notes)
                break
        else:
            at_axes = tuple(f"{title}: {key}" for key, title in study.titles.items())
            for one in wrong:
                if one not in found:
                    found[one if one.startswith(at_axes) else one + where] = None
    if found:
        raise ScenarioError(list(found))
    scenario = study.base.scenario(first_settings(study), study.titles)
    if default_results and scenario.placement.model.artifact is not None:
        study = replace(study, results=(*study.results, result_column(ACCURACY)))
    # Other processes, and readers of the folder, get the names of all results.
    names = [one.column.name for one in study.results]
    study = replace(study, document={**study.document, "keep": names}, notes=tuple(notes))
    _check_names(study, scenario)
    return study


def first_settings(study: Study) -> Settings:
    """Return the settings of the first point; of a search, the first value of every axis."""
    if study.aims is None:
        return study.settings(study.points.at(0))
    return study.settings([ends(axis)[0] for axis in study.points.axes])


def _points_by_value(study: Study) -> Iterator[tuple[str, list[PointValues]]]:
    """Yield, for every value of every axis, its text in messages and points that have it.

    Values that go together, as those of a row of a list, are taken together.
    """
    points = study.points
    if isinstance(points, Listed):
        for index in _checked(points.size):
            yield f" (point {index:,})" if index else "", [points.at(index)]
        return
    together = points.groups if isinstance(points, Grid) else [(axis,) for axis in points.axes]
    # A range without steps, which values are drawn from, has its two ends.
    groups: list[tuple[Axis, ...]] = [
        tuple(axis if len(axis) else ListAxis(axis.column, ends(axis)) for axis in group)
        for group in together
    ]
    start = 0
    for place, group in enumerate(groups):
        others = Grid((*groups[:place], *groups[place + 1 :]))
        last = others.size - 1
        tried = dict.fromkeys(last * step // (MOST_TRIED - 1) for step in range(MOST_TRIED))
        beside = [others.at(point) for point in tried]
        for index in _checked(len(group[0])):
            values = [axis.at(index) for axis in group]
            texts = (
                f"{axis.column.name} is {shortened(str(one.cell))}"
                for axis, one in zip(group, values, strict=True)
            )
            where = f" (where {', '.join(texts)})" if index else ""
            yield where, [[*other[:start], *values, *other[start:]] for other in beside]
        start += len(group)


def _checked(size: int) -> Iterator[int]:
    yield from range(min(size, MOST_CHECKED))
    if size > MOST_CHECKED:
        yield size - 1


def _check_names(study: Study, scenario: Scenario) -> None:
    """Check that results name nodes, links and baselines of the first point, or similar ones.

    Names that differ in a number alone are similar: other points may have more nodes.
    """
    known = {
        "nodes": list(scenario.cluster.nodes),
        "links": list(scenario.cluster.network.links),
        "baselines": [one.name for one in scenario.baselines],
    }
    for one in study.results:
        if not one.member or one.member == "*":
            continue
        names = known[one.mapping.removeprefix("energy_j.")]
        if _without_numbers(one.member) not in map(_without_numbers, names):
            near = nearest(one.member, names)
            raise InputError(
                f"keep: {one.column.name}: none of {one.mapping} is named '{one.member}'{near}"
            )


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)
