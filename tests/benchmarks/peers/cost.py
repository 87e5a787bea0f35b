"""Cost of a request in five simulators against load, nodes and flows: a table and a picture.

    make bench-plot

writes both into the page of the engine.

All simulators get the same arrival times and service times, and must give the same waits: the
mean and the longest one agree to nine digits at every point, or the run fails. Each has a process
of its own that runs in one thread; they take turns at every point, and the median of the turns is
shown. Processor time counts building and running a model, not the start of the process.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgesim.common.files import write_text
from edgesim.report.chart import LIGHT
from edgesim.simulate.arrivals import Poisson
from edgesim.simulate.streams import service_factors
from edgesim.simulate.traffic import arrival_times
from tests import needs
from tests.edgesim.command import ROOT
from tests.edgesim.simulate.models import node

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = ROOT / "docs" / "engine.md"
FIGURE = ROOT / "docs" / "figures" / "engine-cost.svg"
TOOLS = {
    "edgesim": "edgesim",
    "SimPy": "simpy",
    "SimGrid": "simgrid",
    "salabim": "salabim",
    "ciw": "ciw",
}
"""Simulators by the names of their modules, ``with_NAME``."""
TURNS = 3
MOST_US = 300.0
"""A simulator other than ours that takes longer for a request gets no larger point of its axis."""
SEED = 7
CAPACITY = 1e9


@dataclass
class Point:
    """One model at one value of one axis.

    Attributes:
        axis: ``load``, ``nodes`` or ``flows``.
        value: on that axis.
        requests: number of requests, or of flows.
        given: parameters of the model.
        seconds: processor time of each turn, by simulator.
    """

    axis: str
    value: float
    requests: int
    given: dict[str, Any]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def each_us(self, tool: str) -> float | None:
        """Return the microseconds of a request in a simulator; None where it was not run."""
        taken = self.seconds.get(tool)
        return None if not taken else 1e6 * statistics.median(taken) / self.requests


def queues(axis: str, value: float, load: float, many: int, requests: int) -> Point:
    """A point of requests that join the least loaded of some queues (M/M/1 for one)."""
    traffic = Poisson(requests=requests, rate_per_s=load * many)
    arrivals = arrival_times(traffic, SEED, 0)
    assert arrivals is not None
    services = []
    for number in range(many):
        draw = service_factors(node(f"n{number}", variability="exponential"), SEED, 0)
        assert draw is not None
        services.append([draw() for _ in range(3 * requests // many + 60)])
    given = {
        "kind": "queues", "queues": many, "requests": requests, "rate_per_s": load * many,
        "seed": SEED, "arrivals_s": arrivals.tolist(), "services_s": services,
    }  # fmt: skip
    return Point(axis, value, requests, given)


def flows(many: int, requests: int) -> Point:
    """A point of bursts of flows over one link: all of a burst are under way at once."""
    generator = random.Random(SEED)
    size, starts = 1e6, []
    burst_s = 4.0 * many * size / CAPACITY
    for burst in range(requests // many):
        within = (generator.uniform(0.0, 0.9 * size / CAPACITY) for _ in range(many))
        starts += sorted(burst * burst_s + one for one in within)
    given = {"kind": "flows", "starts_s": starts, "size": size, "capacity": CAPACITY}
    return Point("flows", many, len(starts), given)


def points(scale: float) -> list[Point]:
    """Return all points, those of an axis from easy to hard."""
    few = int(10_000 * scale)
    loads = [queues("load", load, load, 1, few) for load in (0.2, 0.5, 0.8, 0.95)]
    nodes = [queues("nodes", many, 0.8, many, few) for many in (1, 10, 100, 1000)]
    crowds = [flows(many, max(many, int(2_000 * scale))) for many in (10, 100, 1000, 10_000)]
    return [*loads, *nodes, *crowds]


class Worker:
    """A process that simulates models in one simulator."""

    def __init__(self, name: str) -> None:
        python = needs.SIMGRID.require() if name == "simgrid" else sys.executable
        script = Path(__file__).with_name("worker.py")
        # SimGrid's Python is another one, in which `tests` may be another package.
        path = ROOT / "tests/edgesim/peers" if name == "simgrid" else ROOT
        self._process = subprocess.Popen(
            [python, script, f"with_{name}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=ROOT, env={"PYTHONPATH": str(path)},
        )  # fmt: skip

    def ask(self, path: Path) -> dict[str, float]:
        """Return seconds and figures of the model in a file."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(str(path)), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{process.args} ended with status {process.wait()}")
        found: dict[str, float] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def disagreement(point: Point, answers: Mapping[str, Mapping[str, float]]) -> str:
    """Return what differs between the figures of simulators; empty where nothing does."""
    ours = answers["edgesim"]
    for tool, theirs in answers.items():
        for what in ("mean", "most"):
            if not math.isclose(ours[what], theirs[what], rel_tol=1e-9, abs_tol=1e-9):
                return (
                    f"{point.axis} {point.value:g}: the {what} is {theirs[what]!r} in {tool}, "
                    f"{ours[what]!r} in edgesim"
                )
    return ""


def measure(found: Iterable[Point], turns: int, tools: Iterable[str] = TOOLS) -> None:
    """Run every point in every simulator, in turns, and add the times.

    Raises:
        AssertionError: two simulators give different waits.
    """
    workers = {tool: Worker(TOOLS[tool]) for tool in tools}
    slow: set[tuple[str, str]] = set()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.json")
            for point in found:
                path.write_text(json.dumps(point.given))
                asked = [tool for tool in workers if (point.axis, tool) not in slow]
                for turn in range(turns):
                    # A turn later, the next one begins.
                    order = asked[turn % len(asked) :] + asked[: turn % len(asked)]
                    answers = {tool: workers[tool].ask(path) for tool in order}
                    differs = disagreement(point, answers)
                    assert not differs, differs
                    for tool, answer in answers.items():
                        point.seconds.setdefault(tool, []).append(answer["seconds"])
                for tool in asked:
                    too_slow = (point.each_us(tool) or 0.0) > MOST_US
                    # All others are compared with ours, which is in every point.
                    if too_slow and point.axis != "load" and tool != "edgesim":
                        slow.add((point.axis, tool))
                print(".", end="", flush=True, file=sys.stderr)
    finally:
        for worker in workers.values():
            worker.__exit__(None, None, None)
    print(file=sys.stderr)


def table(found: Iterable[Point]) -> str:
    """Return the microseconds of a request as a table in Markdown."""
    lines = [f"| axis | value | {' | '.join(TOOLS)} |", "|---" * (len(TOOLS) + 2) + "|"]
    for point in found:
        cells = [_text(point.each_us(tool)) for tool in TOOLS]
        lines.append(f"| {point.axis} | {point.value:,g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def put_table(text: str, page: Path) -> None:
    """Replace the table of a page, which begins as ours does."""
    begin, *_ = text.splitlines()
    lines = page.read_text(encoding="utf-8").split("\n")
    first = last = lines.index(begin)
    while lines[last].startswith("|"):
        last += 1
    write_text(page, "\n".join([*lines[:first], text, *lines[last:]]))


def _text(each_us: float | None) -> str:
    if each_us is None:
        return "-"
    return f"{each_us:,.0f}" if each_us >= 10.0 else f"{each_us:.1f}"


def picture(found: list[Point], path: Path) -> None:
    """Draw the microseconds of a request against each axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "edgesim", "font.size": 9}):
        figure = Figure(figsize=(9.0, 3.4), layout="constrained")
        _draw(found, figure)
        figure.savefig(path, metadata={"Date": None})
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _draw(found: list[Point], figure: Figure) -> None:
    colours = [LIGHT[name] for name in ("compute", "queue", "transfer", "fusion", "idle")]
    axes_titles = {
        "load": "load of one queue",
        "nodes": "nodes, load 0.8",
        "flows": "flows at once on one link",
    }
    axes = figure.subplots(1, 3, sharey=True)
    for axis, (name, title) in zip(axes, axes_titles.items(), strict=True):
        shown = [point for point in found if point.axis == name]
        for (tool, colour), mark in zip(zip(TOOLS, colours, strict=True), "osD^v", strict=True):
            both = [(point.value, point.each_us(tool)) for point in shown]
            drawn = [(value, cost) for value, cost in both if cost is not None]
            axis.plot(
                *zip(*drawn, strict=True), mark + "-", color=colour, label=tool, markersize=4,
                linewidth=2.2 if tool == "edgesim" else 1.2,
            )  # fmt: skip
        axis.set_yscale("log")
        if name != "load":
            axis.set_xscale("log")
        axis.set_xlabel(title)
        axis.grid(visible=True, color=LIGHT["line"], linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("µs of processor time a request")
    axes[0].set_xlim(0.0, 1.0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(TOOLS), frameon=False)


def main() -> None:
    """Measure, print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FIGURE, help="file of the picture")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose table is replaced")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the requests")
    parser.add_argument("--turns", type=int, default=TURNS)
    options = parser.parse_args()
    found = points(options.scale)
    measure(found, options.turns)
    print(table(found))
    put_table(table(found), options.page)
    picture(found, options.out)


if __name__ == "__main__":
    main()
