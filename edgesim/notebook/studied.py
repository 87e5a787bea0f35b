"""A study's table as a frame and plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.notebook import html
from edgesim.notebook.study_plots import StudyPlots
from edgesim.sweep import Table, run_study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Studied:
    """What a study gave.

    Attributes:
        table: a row for each point.
    """

    table: Table

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each point: its axes, results and error."""
        found: pd.DataFrame = self.table.frame()
        return found

    @property
    def plot(self) -> StudyPlots:
        """What can be drawn of it."""
        return StudyPlots(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def _repr_html_(self) -> str:
        return html.table(self.table)


def study(
    what: str | Path | Mapping[str, Any], *, workers: int = 1, out: str | Path | None = None
) -> Studied:
    """Play a study file, or its content as plain data.

    Args:
        what: the file's path, or its content.
        workers: processes that play.
        out: folder of the results, in which an interrupted study goes on; nothing is kept but the
            table if None.

    Raises:
        InputError: the study is wrong.
    """
    return Studied(run_study(what, out, workers=workers))
