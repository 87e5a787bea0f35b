"""The base scenario of a study: parsed once, and changed for each point."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgesim.common.validation import Path as KeyPath
from edgesim.scenario import Scenario
from edgesim.scenario.document import Document, ScenarioError, read_file
from edgesim.scenario.named_files import take_in
from edgesim.scenario.overrides import leave_out, override, put, unknown_nodes
from edgesim.scenario.reader import read_document

Settings = Sequence[tuple[str, Any]]
"""Key paths and what they are set to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A scenario as plain data, which points set values in.

    Attributes:
        document: data, and where they stand in the file.
        title: names the scenario unless it has a ``name``.
        folder: that paths in it are relative to.
    """

    document: Document
    title: str
    folder: Path

    def data(self, settings: Settings) -> tuple[dict[str, Any], list[KeyPath], list[str]]:
        """Return a copy of the data with values set, where each was set, and what is to be noted.

        Raises:
            InputError: one cannot be set.
        """
        data = copy.deepcopy(self.document.data)
        # A value is set in more than one point, and reading a scenario may change it.
        paths = [put(data, key, copy.deepcopy(value)) for key, value in settings]
        return data, paths, leave_out(data, paths)

    def scenario(self, settings: Settings, titles: Sequence[str] = ()) -> Scenario:
        """Return the scenario of a point.

        Args:
            settings: of the point.
            titles: what messages call each of them; the base's name unless given.

        Raises:
            InputError: the scenario is wrong.
        """
        data, paths, notes = self.data(settings)
        message = self.document.overridden | dict(zip(paths, titles, strict=bool(titles)))
        if wrong := unknown_nodes(self.document.data, data, message):
            raise ScenarioError(list(wrong.values()))
        document = replace(
            self.document, data=data, overridden=message, notes=[*self.document.notes, *notes]
        )
        return read_document(document, title=self.title, folder=self.folder)


def from_file(path: Path, overrides: Sequence[str]) -> Base:
    """Return the base that a file holds.

    Raises:
        InputError: it cannot be read, or is no YAML; one line for each problem.
    """
    return from_document(read_file(path), path.stem, path.parent, overrides)


def from_document(document: Document, title: str, folder: Path, overrides: Sequence[str]) -> Base:
    """Return the base that a document holds; arguments as of `Base`.

    Files of devices are read here, once.

    Raises:
        InputError: it is no mapping, or a setting is wrong.
    """
    data = document.mapping("a scenario")
    wrong = override(document, overrides)
    found = [*wrong, *document.located(take_in(data, folder))]
    if found:
        raise ScenarioError(found)
    return Base(document=document, title=title, folder=folder)
