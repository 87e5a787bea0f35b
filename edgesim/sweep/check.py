"""What is wrong with a study, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from edgesim.common.errors import InputError, nearest
from edgesim.common.validation import Path, Problem, path_text
from edgesim.scenario import Scenario
from edgesim.scenario.document import ScenarioError
from edgesim.scenario.findings import Findings
from edgesim.sweep.axes import Axis, ends
from edgesim.sweep.results import ACCURACY, result_column
from edgesim.sweep.study import Study

MOST_CHECKED = 1_000
"""Values of an axis; of a longer one, so many from its start, and the last."""


def check(study: Study, *, default_results: bool) -> Study:
    """Return the study, with the results that belong to its model.

    Every value of every axis is held to the scenario's schema by itself. The first point is read
    whole; what only goes wrong together in another point is the error of its row.

    Args:
        study: to check.
        default_results: whether the file leaves open what to keep.

    Raises:
        InputError: something is wrong; a line for each problem.
    """
    found: list[str] = []
    notes: list[str] = []
    for axis in study.points.axes:
        found += _wrong_values(study, axis, notes)
    if found:
        raise ScenarioError(found)
    settings = first_settings(study)
    titles = [study.titles[key] for key, _ in settings]
    scenario = study.base.scenario(settings, titles)
    if default_results and scenario.placement.model.artifact is not None:
        study = replace(study, results=(*study.results, result_column(ACCURACY)))
    # What is kept is said in full to other processes, and to those who read the folder.
    names = [one.column.name for one in study.results]
    study = replace(study, document={**study.document, "keep": names}, notes=tuple(notes))
    _check_names(study, scenario)
    return study


def first_settings(study: Study) -> tuple[tuple[str, Any], ...]:
    """Return the key paths that the first point sets, and to what."""
    if study.aims is None:
        return study.settings(0)
    # Points of a search are chosen later; the first values stand for them.
    return tuple((axis.column.name, next(_values(axis))) for axis in study.points.axes)


def _wrong_values(study: Study, axis: Axis, notes: list[str]) -> Iterator[str]:
    """Yield what the scenario's schema says against values of an axis; add what is to be noted."""
    key = axis.column.name
    title = study.titles[key]
    for setting in _values(axis):
        try:
            data, (path,), found = study.base.data([(key, setting)])
        except InputError as error:
            yield f"{title}: {key}: {error}"
            return
        notes += [one for one in found if one not in notes]
        wrong = list(_at(path, Findings(data).problems))
        yield from (f"{title}: {path_text(one.path)}: {one.message}" for one in wrong)
        if any(one.at_key for one in wrong):
            # The key is wrong, whatever its value.
            return


def _values(axis: Axis) -> Iterator[Any]:
    for index in range(min(len(axis), MOST_CHECKED)):
        yield axis.at(index).setting
    if not 0 < len(axis) <= MOST_CHECKED:
        # Also of a range that values are drawn from.
        yield from (end.setting for end in ends(axis))


def _at(path: Path, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the problems of what was set: at it, in it, or at a key on the way to it.

    Not those that other axes may solve.
    """
    for one in problems:
        if one.joint:
            continue
        on_the_way = one.at_key and path[: len(one.path)] == one.path
        if on_the_way or one.path[: len(path)] == path:
            yield one


def _check_names(study: Study, scenario: Scenario) -> None:
    """Check that kept results name nodes, links and baselines of the first point, or like them."""
    known = {
        "nodes": list(scenario.cluster.nodes),
        "links": list(scenario.cluster.network.links),
        "baselines": [one.name for one in scenario.baselines],
    }
    for one in study.results:
        if not one.member or one.member == "*":
            continue
        names = known[one.mapping.removeprefix("energy_j.")]
        if not any(_alike(one.member, name) for name in names):
            near = nearest(one.member, names)
            raise InputError(
                f"keep: {one.column.name}: none of {one.mapping} is named '{one.member}'{near}"
            )


def _alike(name: str, other: str) -> bool:
    """Whether two names are the same but for a number: other points may have more nodes."""
    return _stem(name) == _stem(other)


def _stem(name: str) -> str:
    return "".join("#" if letter.isdecimal() else letter for letter in name).replace("##", "#")
