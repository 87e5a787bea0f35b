"""Plots with matplotlib; each takes axes to draw on, and returns those it drew on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgesim.common.errors import EdgesimError, InputError, nearest
from edgesim.common.extras import load
from edgesim.report.chart import LIGHT
from edgesim.report.heat import Levels, levels, means
from edgesim.report.page.plan_document import routes
from edgesim.report.page.timeline import arranged
from edgesim.report.table import NO_POWER, without_power
from edgesim.results import tables_csv
from edgesim.results.result import Result
from edgesim.sweep import Table
from edgesim.sweep.table import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 12
_MARKED = ("p50", "p90", "p99")


@dataclass(frozen=True, slots=True)
class Plots:
    """What can be drawn of a result."""

    result: Result

    def latency(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests with at most each latency, and p50, p90 and p99."""
        ax = _axes(ax)
        values = np.sort(tables_csv.answered_s(tables_csv.columns(self.result.recordings)))
        if not len(values):
            raise EdgesimError("no request was answered; there is no latency to draw")
        shares = np.arange(1, len(values) + 1) / len(values)
        ax.step(values, shares, where="post", color=LIGHT["compute"])
        for name in _MARKED:
            at, share = self.result.summary["latency_s"][name], float(name[1:]) / 100
            ax.plot([at], [share], "o", color=LIGHT["mark"])
            ax.annotate(f" {name}", (at, share), va="top")
        ax.set_xscale("log")
        for formatter in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
            formatter("{x:g}")
        ax.set_xlabel("latency (s)")
        ax.set_ylabel("share of requests")
        ax.set_title(self.result.scenario.name)
        return ax

    def timeline(self, ax: Axes | None = None, *, requests: int = 10) -> Axes:
        """Draw what every node and link did for the first requests.

        Args:
            ax: to draw on; new ones if None.
            requests: how many.
        """
        ax = _axes(ax)
        spans = [one for one in self.result.recordings[0].spans if one.request < requests]
        if not spans:
            raise EdgesimError("no request left spans; run with trace_requests above 0")
        rows = arranged(spans, routes(self.result.scenario, self.result.plan), len(spans))
        kinds = dict.fromkeys(one.span.kind for one in rows.placed)
        for kind in kinds:
            of_kind = [one for one in rows.placed if one.span.kind == kind]
            deep = np.array([0.8 / rows.lanes[one.track] for one in of_kind])
            # An edge of the same colour: what takes microseconds is seen beside seconds.
            ax.barh(
                [one.track - 0.4 + (one.lane + 0.5) * high
                 for one, high in zip(of_kind, deep, strict=True)],
                [one.span.end_s - one.span.start_s for one in of_kind],
                left=[one.span.start_s for one in of_kind], height=deep, color=LIGHT[kind],
                edgecolor=LIGHT[kind], linewidth=0.8, label=kind,
            )  # fmt: skip
        ax.set_yticks(range(len(rows.tracks)), [track.name for track in rows.tracks])
        ax.invert_yaxis()
        ax.set_xlabel("time (s)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(kinds), frameon=False)
        return ax

    def energy(self, ax: Axes | None = None) -> Axes:
        """Draw the joules of every node: idle power, and what is above it."""
        ax = _axes(ax)
        nodes = self.result.summary["nodes"]
        if self.result.summary["energy_j"]["total"] is None:
            raise EdgesimError("energy was not measured: real nodes report times only")
        if without_power(self.result.summary):
            raise EdgesimError(f"energy is {NO_POWER}")
        names = list(nodes)
        idle = np.array([row["idle_j"] for row in nodes.values()])
        work = np.array([row["energy_j"] for row in nodes.values()]) - idle
        ax.barh(names, idle, color=LIGHT["idle"], label="idle")
        ax.barh(names, work, left=idle, color=LIGHT["compute"], label="above idle")
        ax.invert_yaxis()
        ax.set_xlabel("energy (J)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False)
        return ax


@dataclass(frozen=True, slots=True)
class StudyPlots:
    """What can be drawn of a study."""

    table: Table

    def heatmap(self, x: str, y: str, value: str, ax: Axes | None = None) -> Axes:
        """Draw the mean of a result over two axes of the study.

        Points whose queue did not settle are in no mean.

        Args:
            x: an axis, left to right.
            y: another, bottom to top.
            value: a result.
            ax: to draw on; new ones if None.

        Raises:
            InputError: the study has no such column.
        """
        ax = _axes(ax)
        across, up = (levels(self.table, self._column(name), len(self.table)) for name in (x, y))
        self._numbers(value)
        mean = means(self.table, across, up, value).mean
        picture = ax.imshow(mean, origin="lower", aspect="auto", cmap="cividis")
        ax.set_xticks(*_ticks(across), rotation=45, ha="right")
        ax.set_yticks(*_ticks(up))
        ax.set_xlabel(self._label(x))
        ax.set_ylabel(self._label(y))
        ax.figure.colorbar(picture, ax=ax, label=self._label(value))
        return ax

    def pareto(self, x: str, y: str, ax: Axes | None = None) -> Axes:
        """Draw two columns, and those points that no other beats in what the study aims at.

        Args:
            x: a column of numbers.
            y: another.
            ax: to draw on; new ones if None.

        Raises:
            InputError: the study has no such column, or aims at nothing.
        """
        ax = _axes(ax)
        across, up = self._numbers(x), self._numbers(y)
        try:
            best = self.table.pareto()
        except ValueError as error:
            raise InputError(f"{error}; a study says so by 'optimize'") from None
        growing = self.table.unsettled
        others = ~best & ~growing
        ax.plot(across[others], up[others], "o", color=LIGHT["idle"], alpha=0.5, label="others")
        if growing.any():
            ax.plot(
                across[growing], up[growing], "o", color=LIGHT["idle"], fillstyle="none",
                label="queue did not settle",
            )  # fmt: skip
        order = np.argsort(across[best])
        ax.plot(
            across[best][order], up[best][order], "o-", color=LIGHT["compute"],
            label="not dominated",
        )  # fmt: skip
        ax.set_xlabel(self._label(x))
        ax.set_ylabel(self._label(y))
        ax.legend()
        return ax

    def _numbers(self, name: str) -> NDArray[np.float64]:
        values = self.table.values[self._column(name).name]
        if isinstance(values, tuple):
            raise InputError(f"'{name}' is no column of numbers")
        return values

    def _column(self, name: str) -> Column:
        known = {one.name: one for one in self.table.columns}
        if name not in known:
            raise InputError(
                f"the study has no '{name}'{nearest(name, list(known))}; it has {', '.join(known)}"
            )
        return known[name]

    def _label(self, name: str) -> str:
        unit = self.table.column(name).unit
        return f"{name} ({unit})" if unit else name


def _ticks(of: Levels) -> tuple[range, tuple[str, ...]]:
    """Return where at most a dozen levels are named, and their names."""
    step = -(-len(of.names) // _MOST_TICKS)
    return range(0, len(of.names), step), of.names[::step]


def _axes(given: Any) -> Any:
    """Return the axes to draw on: those given, or new ones."""
    if given is not None:
        return given
    return load("a plot", "matplotlib.pyplot", "plots").subplots(
        figsize=(7, 4), layout="constrained"
    )[1]
