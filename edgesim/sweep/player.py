"""Plays points: from a number to a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgesim import api
from edgesim.common.errors import EdgesimError
from edgesim.scenario.document import Document
from edgesim.sweep.reader import from_mapping
from edgesim.sweep.results import SETTLED
from edgesim.sweep.sqlite_rows import Row
from edgesim.sweep.study import Settings, Study
from edgesim.sweep.table import Cell

LONGEST_ERROR = 1_000
"""Characters of a row's error."""
Check = Callable[[], None]
"""Called now and then while a point is played; what it raises ends that."""


class Player:
    """Plays points of a study; what they share is done once.

    Args:
        study: whose points.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        # Whoever plays says the same of a point that fails, wherever the file lies.
        self._base = replace(
            study.base,
            document=Document(study.base.document.data, Path(study.base.document.name).name),
        )
        self._baselines = any(one.of_baselines for one in study.results)

    def row(self, point: int, settings: Mapping[str, Any] | None = None,
            check: Check | None = None) -> Row:  # fmt: skip
        """Return the row of a point: its number, the axes' cells, the results, and the error.

        Args:
            point: number.
            settings: of a search's trial: a setting and a cell by key path; else the study's own.
            check: called while the point is played.

        Raises:
            KeyboardInterrupt: ``check`` did.
        """
        axes = self._study.points.axes
        if settings is None:
            values = self._study.points.at(point)
            cells: list[Cell] = [None if one is None else one.cell for one in values]
            set_to = self._study.settings(values)
        else:
            cells = [settings[axis.column.name][1] for axis in axes]
            set_to = [(axis.column.name, settings[axis.column.name][0]) for axis in axes]
        results, error = self._play(set_to, check)
        return (point, *cells, *results, error)

    def _play(self, settings: Settings, check: Check | None) -> tuple[list[Cell], str | None]:
        kept = self._study.results
        nothing: list[Cell] = [None] * len(kept)
        try:
            scenario = self._base.scenario(settings)
            if not self._baselines:
                scenario = replace(scenario, baselines=())
            progress = None if check is None else lambda *report: check()
            result = api.run(scenario, trace_requests=0, progress=progress)
            if result.partial:
                raise KeyboardInterrupt
            summary = {**result.summary, SETTLED: result.settled}
            return [one.of(summary) for one in kept], None
        except EdgesimError as error:
            return nothing, str(error)[:LONGEST_ERROR]
        except MemoryError:
            return nothing, "out of memory"
        except RecursionError:
            return nothing, "nested too deeply"
        except SystemExit as error:
            return nothing, f"a plug-in called sys.exit({error.code!r})"[:LONGEST_ERROR]
        except Exception as error:
            # A plug-in's strategy or device may raise anything: of this point, not of the sweep.
            return nothing, f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


def payload(study: Study) -> str:
    """Return what another process makes a `Player` of the same study from, as JSON."""
    base = study.base
    return json.dumps(
        {
            "study": study.document,
            "name": base.document.name,
            "title": base.title,
            "folder": str(base.folder.resolve()),
        }
    )


def player(text: str) -> Player:
    """Return the player that `payload` describes."""
    given = json.loads(text)
    study = from_mapping(given["study"], name=given["name"], title=given["title"],
                         folder=Path(given["folder"]), checked=True)  # fmt: skip
    return Player(study)
