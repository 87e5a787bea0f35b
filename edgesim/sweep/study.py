"""A study, read and checked: a base scenario, points, and what is kept of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.scenario import Scenario
from edgesim.sweep.aims import Aims
from edgesim.sweep.base import Base
from edgesim.sweep.points import Points
from edgesim.sweep.results import ResultColumn
from edgesim.sweep.store import Meta
from edgesim.sweep.table import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study after validation.

    Attributes:
        name: of its folder.
        base: scenario that its points change.
        points: by number.
        results: what is kept of each point, in the order of the table.
        aims: of a search; None where all points are played.
        document: the study as plain data, with the base's data in it.
        titles: what messages call each axis, by key path.
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
        """How many points are played."""
        return self.points.size if self.aims is None else self.aims.trials

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of the table: axes, then results."""
        axes = [axis.column for axis in self.points.axes]
        results = [one.column for one in self.results]
        return tuple([*axes, *results] if self.aims is None else self.aims.marked(axes, results))

    def settings(self, point: int) -> tuple[tuple[str, Any], ...]:
        """Return the key paths that a point sets, and to what."""
        pairs = zip(self.points.axes, self.points.at(point), strict=True)
        return tuple((axis.column.name, one.setting) for axis, one in pairs if one is not None)

    def scenario(self, point: int) -> Scenario:
        """Return the scenario of a point.

        Raises:
            InputError: the values of the point do not go together.
        """
        return self.base.scenario(self.settings(point))

    def meta(self) -> Meta:
        """Return what the study's folder says of it."""
        return Meta(
            name=self.name,
            points=self.size,
            columns=self.columns,
            fingerprint=fingerprint(self.document, self.base.folder),
            study=self.document,
        )


def fingerprint(document: Mapping[str, Any], folder: Path) -> str:
    """Return a digest of all that the results of a study depend on: its data, and files they name.

    A file counts with its bytes, an artifact with its manifest, which has the digests of the rest.
    """
    digest = hashlib.sha256()
    kept = {key: value for key, value in document.items() if key != "name"}
    digest.update(json.dumps(kept, sort_keys=True).encode())
    for name in sorted(set(_texts(kept))):
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
