"""A result as frames, plots and a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.extras import load
from edgesim.notebook import html
from edgesim.notebook.plots import Plots
from edgesim.report import folder
from edgesim.results import tables_csv
from edgesim.results.folder import prepare
from edgesim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Played:
    """What a run gave.

    Attributes:
        result: with the recordings themselves.
    """

    result: Result

    @property
    def summary(self) -> Mapping[str, Any]:
        """Every figure, as in ``summary.json``."""
        return self.result.summary

    @property
    def requests(self) -> pd.DataFrame:
        """One row for each request: arrival, latency and its parts in seconds, outcome."""
        return self._frame(tables_csv.requests(self.result.recordings))

    @property
    def tasks(self) -> pd.DataFrame:
        """One row for each task and transfer of the first requests."""
        return self._frame(tables_csv.tasks(self.result.recordings[0]))

    @property
    def nodes(self) -> pd.DataFrame:
        """One row for each node: device, utilization, joules, memory, longest queue."""
        return self._rows("nodes")

    @property
    def links(self) -> pd.DataFrame:
        """One row for each link: bytes and utilization."""
        return self._rows("links")

    @property
    def plot(self) -> Plots:
        """What can be drawn of it."""
        return Plots(self.result)

    def save(self, directory: str | Path) -> Path:
        """Write the result folder that ``edgesim run`` writes; return its path.

        Raises:
            EdgesimError: it cannot be written.
        """
        target = Path(directory)
        prepare(target)
        return folder.write(self.result, target)

    def _rows(self, section: str) -> pd.DataFrame:
        found: pd.DataFrame = load("a frame", "pandas", "notebook").DataFrame.from_dict(
            self.summary[section], orient="index"
        )
        return found

    def _frame(self, csv: str) -> pd.DataFrame:
        found: pd.DataFrame = load("a frame", "pandas", "notebook").read_csv(StringIO(csv))
        return found

    def _repr_html_(self) -> str:
        return html.result(self.result)
