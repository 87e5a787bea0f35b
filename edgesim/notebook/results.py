"""Results in a notebook: frames, plots, and the tables that a cell shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.extras import load
from edgesim.notebook.plots import Plots, StudyPlots
from edgesim.report import folder
from edgesim.report.page.frame import fragment
from edgesim.report.run_tables import answered
from edgesim.report.sweep_table import points
from edgesim.report.table import Cell, Table, figure, metrics_table
from edgesim.results import tables_csv
from edgesim.results.folder import prepare
from edgesim.results.result import Result
from edgesim.results.summary import SUMMARY
from edgesim.sweep import Table as StudyTable
from edgesim.sweep import run_study

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 12


@dataclass(frozen=True, slots=True, repr=False)
class Played:
    """The result of a run.

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
        return self._frame("".join(tables_csv.requests(self.result.recordings)))

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
        """Its plots."""
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

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    def _title(self) -> str:
        return f"{self.result.scenario.name}: {answered(self.summary)}"

    def _repr_html_(self) -> str:
        lines: list[list[Cell]] = []
        for path, one in SUMMARY.singles("notebook"):
            if self.summary[path[0]] is not None:
                title = one.name if path[0] == "latency_s" else one.heading
                lines.append([title, figure(self.summary, path, one.text)])
        nodes = metrics_table(self.summary, ("nodes",), "Nodes", "node", "notebook", _MOST_ROWS)
        return fragment([Table(self._title(), ("", ""), lines), nodes])


@dataclass(frozen=True, slots=True, repr=False)
class Studied:
    """The results of a study.

    Attributes:
        table: a row for each point.
    """

    table: StudyTable

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each point: its axes, results and error."""
        found: pd.DataFrame = self.table.frame()
        return found

    @property
    def plot(self) -> StudyPlots:
        """Its plots."""
        return StudyPlots(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    def _title(self) -> str:
        failed = f", {self.table.failed:,} failed" if self.table.failed else ""
        return f"{self.table.name}: {len(self.table):,} of {self.table.size:,} points{failed}"

    def _repr_html_(self) -> str:
        rows = range(min(len(self.table), _MOST_ROWS))
        more = f"… {len(self.table) - len(rows):,} more" if len(rows) < len(self.table) else ""
        return fragment([points(self.table, rows, self._title(), more)])


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
