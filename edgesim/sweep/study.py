"""A study: a base scenario, the points that set values in it, and the results of each point."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.common.validation import Path as KeyPath
from edgesim.scenario import Scenario
from edgesim.scenario.document import Document, ScenarioError
from edgesim.scenario.overrides import leave_out, put, unknown_nodes
from edgesim.scenario.reader import read_document
from edgesim.sweep.aims import Aims
from edgesim.sweep.axes import Value
from edgesim.sweep.points import Points
from edgesim.sweep.results import ResultColumn
from edgesim.sweep.store import Meta
from edgesim.sweep.table import Column

Settings = Sequence[tuple[str, Any]]
"""Key paths and the value of each."""
_NO_TITLES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The base scenario of a study as plain data, parsed once and changed for each point.

    Attributes:
        document: data, with the place of each in the file.
        title: name of the scenario unless it has a ``name``.
        folder: folder that paths in it are relative to.
    """

    document: Document
    title: str
    folder: Path

    def scenario(self, settings: Settings, titles: Mapping[str, str] = _NO_TITLES) -> Scenario:
        """Return the scenario of a point.

        Args:
            settings: settings of the point.
            titles: names of the axes in messages, by key path; the base's name unless given.

        Raises:
            ScenarioError: the scenario is wrong; one line for each problem.
        """
        data = copy.deepcopy(self.document.data)
        paths: dict[KeyPath, str] = {}
        wrong: list[str] = []
        for key, value in settings:
            try:
                # A value is set in more than one point, and reading a scenario may change it.
                paths[put(data, key, copy.deepcopy(value))] = key
            except InputError as error:
                wrong.append(f"{titles.get(key, self.document.name)}: {key}: {error}")
        places = {path: titles[key] for path, key in paths.items() if key in titles}
        overridden = self.document.overridden | places
        wrong += unknown_nodes(self.document.data, data, overridden).values()
        if wrong:
            raise ScenarioError(wrong)
        notes = [*self.document.notes, *leave_out(data, list(paths))]
        document = replace(self.document, data=data, overridden=overridden, notes=notes)
        return read_document(document, title=self.title, folder=self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study after validation.

    Attributes:
        name: name of its folder.
        base: scenario that its points change.
        points: points by number.
        results: results of each point, in the order of the table.
        aims: aims of a search; None where all points are simulated.
        document: the study as plain data, with the base's data in it.
        titles: name of each axis in messages, by key path.
        notes: sentences for the user about keys that values of an axis leave out.
    """

    name: str
    base: Base
    points: Points
    results: tuple[ResultColumn, ...]
    aims: Aims | None
    document: Mapping[str, Any]
    titles: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of points that are simulated."""
        return self.points.size if self.aims is None else self.aims.trials

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the table: axes, then results."""
        axes = [axis.column for axis in self.points.axes]
        results = [one.column for one in self.results]
        return tuple([*axes, *results] if self.aims is None else self.aims.marked(axes, results))

    def settings(self, values: Sequence[Value | None]) -> Settings:
        """Return the settings of a point with these values, one for each axis."""
        pairs = zip(self.points.axes, values, strict=True)
        return [(axis.column.name, one.setting) for axis, one in pairs if one is not None]

    def scenario(self, point: int) -> Scenario:
        """Return the scenario of a point.

        Raises:
            ScenarioError: the values of the point do not go together.
        """
        return self.base.scenario(self.settings(self.points.at(point)))

    def meta(self) -> Meta:
        """Return the content of ``study.json``."""
        return Meta(
            name=self.name,
            points=self.size,
            columns=self.columns,
            fingerprint=fingerprint(self.document, self.base.folder),
            study=self.document,
        )


def fingerprint(document: Mapping[str, Any], folder: Path) -> str:
    """Return a digest of what the results of a study depend on: its data, and files they name.

    A file counts with its bytes, an artifact with its manifest, which has the digests of the rest.
    """
    digest = hashlib.sha256()
    content = {key: value for key, value in document.items() if key != "name"}
    digest.update(json.dumps(content, sort_keys=True).encode())
    for name in sorted(set(_texts(content))):
        for path in (folder / name, folder / name / "manifest.json"):
            try:
                if path.is_file():
                    digest.update(name.encode() + b"\0" + path.read_bytes())
            except (OSError, ValueError):
                # A text that is no file's name.
                continue
    return digest.hexdigest()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _texts(one)
