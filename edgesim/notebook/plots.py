"""Plots of a result, with matplotlib; each takes axes to draw on, and returns those it drew on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgesim.common.errors import EdgesimError
from edgesim.common.extras import load
from edgesim.results import tables_csv
from edgesim.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's: told apart by people who see few colours.
COLOURS = {
    "compute": "#0072B2",
    "transfer": "#E69F00",
    "fusion": "#009E73",
    "queue": "#999999",
    "idle": "#999999",
    "work": "#0072B2",
}
_MARKED = ("p50", "p90", "p99")


@dataclass(frozen=True, slots=True)
class Plots:
    """What can be drawn of a result."""

    result: Result

    def latency(self, ax: Axes | None = None) -> Axes:
        """Draw the share of requests that took at most so long, with p50, p90 and p99."""
        ax = axes(ax)
        values = np.sort(tables_csv.latency_column(self.result.recordings))
        if not len(values):
            raise EdgesimError("no request was answered; there is no latency to draw")
        shares = np.arange(1, len(values) + 1) / len(values)
        ax.step(values, shares, where="post", color=COLOURS["compute"])
        for name in _MARKED:
            at, share = self.result.summary["latency_s"][name], float(name[1:]) / 100
            ax.plot([at], [share], "o", color=COLOURS["transfer"])
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
        ax = axes(ax)
        spans = [one for one in self.result.recordings[0].spans if one.request < requests]
        if not spans:
            raise EdgesimError("no request left spans; run with trace_requests above 0")
        rows: dict[tuple[str, str], int] = {}
        for span in spans:
            row = rows.setdefault((span.node, span.target), len(rows))
            ax.barh(
                row, span.end_s - span.start_s, left=span.start_s, height=0.8,
                color=COLOURS[span.kind], edgecolor="white", linewidth=0.3,
            )  # fmt: skip
        ax.set_yticks(list(rows.values()), [" → ".join(filter(None, ends)) for ends in rows])
        ax.invert_yaxis()
        ax.set_xlabel("time (s)")
        kinds = dict.fromkeys(span.kind for span in spans)
        bars = [
            load("a plot", "matplotlib.patches", "plots").Patch(color=COLOURS[kind])
            for kind in kinds
        ]
        ax.legend(bars, list(kinds), loc="lower right")
        return ax

    def energy(self, ax: Axes | None = None) -> Axes:
        """Draw the joules of every node, idle ones apart."""
        ax = axes(ax)
        nodes = self.result.summary["nodes"]
        if any(row["energy_j"] is None for row in nodes.values()):
            raise EdgesimError("energy was not measured; real nodes tell times alone")
        names = list(nodes)
        idle = np.array([row["idle_j"] for row in nodes.values()])
        work = np.array([row["energy_j"] for row in nodes.values()]) - idle
        ax.barh(names, idle, color=COLOURS["idle"], label="idle")
        ax.barh(names, work, left=idle, color=COLOURS["work"], label="above idle")
        ax.invert_yaxis()
        ax.set_xlabel("energy (J)")
        ax.legend()
        return ax


def axes(given: Any) -> Any:
    """Return the axes to draw on: those given, or new ones."""
    if given is not None:
        return given
    return load("a plot", "matplotlib.pyplot", "plots").subplots(
        figsize=(7, 4), layout="constrained"
    )[1]
