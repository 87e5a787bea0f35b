"""The base scenario of a study: parsed once, and changed for each point."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, described
from edgesim.scenario import Scenario
from edgesim.scenario.device_files import take_in
from edgesim.scenario.document import Document, parse
from edgesim.scenario.files import read_text
from edgesim.scenario.overrides import override, put
from edgesim.scenario.problems import ScenarioError, located
from edgesim.scenario.reader import read_document
from edgesim.scenario.syntax import YamlError

Settings = Sequence[tuple[str, Any]]
"""Key paths and what they are set to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A scenario as plain data, which points set values in.

    Attributes:
        document: data, and where they stand in the file.
        name: what messages call the file.
        title: names the scenario unless it has a ``name``.
        folder: that paths in it are relative to.
        overridden: what messages call each place that ``--set`` or the study set.
    """

    document: Document
    name: str
    title: str
    folder: Path
    overridden: Mapping[KeyPath, str]

    def data(self, settings: Settings) -> tuple[dict[str, Any], list[KeyPath]]:
        """Return a copy of the data with values set, and where each was set.

        Raises:
            InputError: one cannot be set.
        """
        data = copy.deepcopy(self.document.data)
        # A value is set in more than one point, and reading a scenario may change it.
        return data, [put(data, key, copy.deepcopy(value)) for key, value in settings]

    def scenario(self, settings: Settings, titles: Sequence[str] = ()) -> Scenario:
        """Return the scenario of a point.

        Args:
            settings: of the point.
            titles: what messages call each of them; the base's name unless given.

        Raises:
            InputError: the scenario is wrong.
        """
        data, paths = self.data(settings)
        told = dict(self.overridden) | dict(zip(paths, titles, strict=bool(titles)))
        document = Document(data, self.document.keys, self.document.values)
        return read_document(document, self.name, told, title=self.title, folder=self.folder)


def from_file(path: Path, overrides: Sequence[str]) -> Base:
    """Return the base that a file holds.

    Raises:
        InputError: it cannot be read, or is no YAML; one line for each problem.
    """
    text = read_text(path)
    try:
        document = parse(text)
    except YamlError as error:
        raise ScenarioError(
            [f"{path}:{line}:{column}: {told}" for (line, column), told in error.found]
        ) from None
    return from_document(document, str(path), path.stem, path.parent, overrides)


def from_document(
    document: Document, name: str, title: str, folder: Path, overrides: Sequence[str]
) -> Base:
    """Return the base that a document holds; arguments as of `Base`.

    Files of devices are read here, once.

    Raises:
        InputError: it is no mapping, or a setting is wrong.
    """
    if not isinstance(document.data, dict):
        message = f"expected a scenario, got {described(document.data)}"
        raise ScenarioError(located([Problem((), message)], document, name, {}))
    overridden, wrong = override(document.data, overrides)
    found = [*wrong, *located(take_in(document.data, folder), document, name, overridden)]
    if found:
        raise ScenarioError(found)
    return Base(document=document, name=name, title=title, folder=folder, overridden=overridden)


def within(document: Document, key: str) -> Document:
    """Return what stands under a key of a document, with its places."""
    return Document(
        document.data[key],
        {path[1:]: place for path, place in document.keys.items() if path[:1] == (key,)},
        {path[1:]: place for path, place in document.values.items() if path[:1] == (key,)},
    )
