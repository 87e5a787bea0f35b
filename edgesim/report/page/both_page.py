"""The page of a comparison: predicted and measured latencies of every load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgesim.common.text import duration
from edgesim.report import both_tables
from edgesim.report.chart import Chart, Drawing, Scale
from edgesim.report.page.frame import Block, Section, Text, document
from edgesim.results.statistics import percentile

_MOST_POINTS = 400
_MARKS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
_GRID = ((0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))


class Latencies(NamedTuple):
    """Latencies in seconds of the answered requests of one load."""

    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]


def page(comparison: Mapping[str, Any], latencies: Mapping[str, Latencies]) -> str:
    """Return the page of a comparison as HTML.

    Args:
        comparison: as in ``comparison.json``.
        latencies: of every load, by its folder.
    """
    loads = comparison["loads"]
    facts = (
        f"predicted and measured · {comparison['arrivals']} arrivals · "
        f"{both_tables.capacity(comparison)} · {duration(comparison['wall_s'])} in all"
    )
    intro = [Text(facts, style="dim")]
    intro += [Text(text, style="warning") for text in both_tables.warnings(comparison)]
    sections = []
    if len(loads) > 1:
        errors = both_tables.error_table(loads)
        sections.append(Section("errors", "Errors by load", [errors]))
    for number, load in enumerate(loads):
        blocks: list[Block] = [Text(both_tables.requests(load), style="dim")]
        chart = curves(*latencies[load["folder"]])
        if chart is not None:
            blocks.append(chart)
        blocks.append(both_tables.load_table(load))
        sections.append(Section(f"load-{number}", both_tables.title(load), blocks))
    notes = [Text(note, style="dim") for note in both_tables.notes(comparison)]
    sections[-1] = Section(sections[-1].anchor, sections[-1].title, [*sections[-1].blocks, *notes])
    versions = ", ".join(f"{key} {value}" for key, value in comparison["versions"].items())
    foot = f"seed {comparison['seed']}, {versions}"
    return document(str(comparison["name"]), intro, sections, foot)


def curves(predicted_s: NDArray[np.float64], measured_s: NDArray[np.float64]) -> Chart | None:
    """Return both distributions of latency; None where one side has no answer.

    Time is on a logarithmic axis. So is, upwards, the share of requests that took longer: 50, 90,
    99 % and so on have equal room, up to the share that the number of requests can show.

    Args:
        predicted_s: latencies of answered requests, in any order.
        measured_s: likewise.
    """
    both = {"predicted": np.sort(predicted_s), "measured": np.sort(measured_s)}
    if not all(map(len, both.values())):
        return None
    return Chart(
        "Share of requests with at most a latency, predicted and measured",
        partial(_draw, both),
        "Share of requests with at most this latency; dots: p50, p90, p99.",
        [("predicted", "predicted (dashed)"), ("measured", "measured")],
    )


def _draw(both: Mapping[str, NDArray[np.float64]], drawing: Drawing) -> None:
    left, top, base = 60.0, 16.0, 340.0 if drawing.broad else 240.0
    drawing.height = base + 28.0
    # The slowest request of n is the quantile 1 - 1/n.
    most = max(map(len, both.values()))
    grid = [(share, text) for share, text in _GRID if share == 0.0 or (1.0 - share) * most >= 1.0]
    high = max(float(one[-1]) for one in both.values())
    # Latencies are above 0, except of plans without work.
    low = max(min(float(one[0]) for one in both.values()), high * 1e-6, 1e-12)
    x = Scale(low * 0.97, max(high, low) * 1.03, left, drawing.width - 18.0, log=True)
    ceiling = max(-math.log10(1.0 - grid[-1][0]) * 1.12, 0.5)
    level = Scale(0.0, ceiling, base, top)

    def y(share: float) -> float:
        return level(ceiling if share >= 1.0 else -math.log10(1.0 - share))

    for share, text in grid:
        drawing.add("path", class_="axis", d=f"M{left} {y(share):.1f}H{drawing.width - 18.0}")
        drawing.text(left - 8, y(share) + 5, text, "dim", "end")
    drawing.time_axis(x, base, top)
    for side, values in both.items():
        drawing.line(((x(value), y(share)) for value, share in _steps(values)), f"{side} curve")
    for side, values in both.items():
        for name, share in _MARKS:
            if (1.0 - share) * len(values) >= 1.0:
                value = percentile(values, share)
                title = f"{side} {name} {duration(value)}"
                drawing.dot(x(value), y(share), 5.0, f"{side} cut", title)


def _steps(values: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the corners of the empirical distribution, of many values only some.

    Those left out are between corners that are shown: near the slow end, all are shown.
    """
    count = len(values)
    if count <= _MOST_POINTS:
        ranks = np.arange(1, count + 1)
    else:
        beyond = np.geomspace(1.0, count + 1.0, _MOST_POINTS)
        ranks = np.unique(count + 1 - np.round(beyond).astype(int)).clip(1)
        ranks = np.unique(np.append(ranks, count))
    corners = [(float(values[0]), 0.0)]
    for rank in ranks.tolist():
        value = float(values[rank - 1])
        corners += [(value, corners[-1][1]), (value, rank / count)]
    return corners
