"""The page of a comparison: curves are the empirical distributions, and names are only text."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from edgesim.report import both_tables
from edgesim.report.chart import Drawing
from edgesim.report.page.both_page import Latencies, curves, page


def drawn(predicted_s: np.ndarray, measured_s: np.ndarray) -> str:
    chart = curves(predicted_s, measured_s)
    assert chart is not None
    drawing = Drawing(960.0)
    chart.draw(drawing)
    return drawing.svg("broad", chart.label)


def points(svg: str, side: str) -> list[tuple[float, float]]:
    found = re.search(rf'<polyline class="{side} curve" points="([^"]*)"', svg)
    assert found is not None
    return [tuple(map(float, pair.split(","))) for pair in found[1].split()]  # type: ignore[misc]


def grid(svg: str) -> dict[str, float]:
    """Return the height of each labelled share."""
    lines = re.findall(
        r'<path class="axis" d="M[\d.]+ ([\d.]+)H[\d.]+"></path><text[^>]*>([^<]*) %<', svg
    )
    return {text: float(y) for y, text in lines}


@pytest.mark.parametrize("count", [5, 40, 20_000])
def test_curves_go_through_the_quantiles(count: int) -> None:
    generator = np.random.default_rng(7)
    values = generator.exponential(0.01, count) + 1e-3
    svg = drawn(values, values * 3.0)
    heights = grid(svg)
    assert set(heights) == {
        5: {"0", "50"}, 40: {"0", "50", "90"}, 20_000: {"0", "50", "90", "99", "99.9"},
    }[count]  # fmt: skip
    assert svg.count("<circle") == 2 * {5: 1, 40: 2, 20_000: 3}[count]
    corners = {side: np.array(points(svg, side)) for side in ("predicted", "measured")}
    for side in corners.values():
        # To the right and up, from nothing to all.
        assert (np.diff(side[:, 0]) >= 0.0).all()
        assert (np.diff(side[:, 1]) <= 0.0).all()
        assert side[0, 1] == heights["0"]
    # Three times as long is everywhere the same way to the right on a logarithmic axis.
    shift = corners["measured"][:, 0] - corners["predicted"][:, 0]
    assert np.ptp(shift) <= 0.21  # coordinates have one decimal
    ordered = np.sort(values)
    for text, share in (("50", 0.5), ("90", 0.9), ("99", 0.99)):
        if text not in heights:
            continue
        # The curve crosses the line of a share where that share of all values has been.
        crossing = next(x for x, y in corners["predicted"] if y <= heights[text] + 0.051)
        wanted = ordered[int(np.ceil(share * count - 1e-9)) - 1]
        low, high = corners["predicted"][0, 0], corners["predicted"][-1, 0]
        at = np.log(wanted / ordered[0]) / np.log(ordered[-1] / ordered[0])
        # Of 20,000 values not every corner is drawn; between two it is less than a hundredth.
        assert crossing == pytest.approx(low + at * (high - low), abs=0.2 if count < 400 else 5.0)


def test_without_an_answer_there_is_no_curve() -> None:
    assert curves(np.array([1.0]), np.array([])) is None
    # One value, and none that differs, are drawn all the same.
    assert drawn(np.array([1e-3]), np.full(9, 1e-3)).count("<polyline") == 2


def pair(predicted: float | None, measured: float | None) -> dict[str, Any]:
    known = predicted is not None and measured
    return {
        "predicted": predicted,
        "measured": measured,
        "error": (predicted - measured) / measured if known else None,  # type: ignore[operator]
        "predicted_95": [0.9, 1.1],
        "measured_95": None,
    }


def comparison(name: str = "a <b> & c") -> dict[str, Any]:
    counts = {"offered": 3, "completed": 2, "degraded": 1, "failed": 0}
    load = {
        "folder": "load-0.5",
        "share": 0.5,
        "rate_per_s": 20.0,
        "partial": False,
        "requests": {"predicted": counts, "measured": {**counts, "failed": 1, "degraded": 0}},
        "latency_s": {one: pair(1.0, 1.25) for one in ("mean", "p50", "p90", "p99")},
        "throughput_per_s": pair(19.0, 19.0),
        "breakdown_s": {one: pair(0.0, 0.0) for one in ("queue", "compute", "transfer", "fusion")},
        "nodes": {f"<i>{number}": {"utilization": pair(0.5, number / 20)} for number in range(20)},
        "links": {},
        "accuracy": {"top1": pair(0.9, None)},
        "warnings": {"predicted": ["<u>"], "measured": []},
    }
    return {
        "schema": 1, "mode": "both", "name": name, "seed": 7, "versions": {"edgesim": "1"},
        "arrivals": "poisson", "capacity_per_s": 40.0, "bounded_by": "<i>0", "wall_s": 1.0,
        "partial": False, "warnings": ["mind the <gap>"], "loads": [load, {**load, "share": None}],
    }  # fmt: skip


def test_names_are_text_and_the_page_needs_nothing_else() -> None:
    found = page(comparison(), {"load-0.5": Latencies(np.array([1.0, 2.0]), np.array([1.5]))})
    assert "a &lt;b&gt; &amp; c" in found
    for foreign in ("<b>", "<i>0", "<u>", "<gap>", "http://", "https://"):
        assert foreign not in found
    # Each of two loads for a screen and for a phone, and two colours of a legend.
    assert found.count("<svg") == 2 * (2 + 2)
    assert "50 % of capacity, 20.0/s" in found
    assert "As written, 20.0/s" in found


def test_lines_tell_signs_and_leave_out_the_idle_of_many() -> None:
    load = comparison()["loads"][0]
    lines = {row.cells[0]: row.cells for row in both_tables.load_table(load).rows}
    assert lines["p50"] == ("p50", "1.00 s", "100 ms", "1.25 s", "-", "-20.0 %")
    assert lines["throughput"][5] == "0.0 %"
    assert lines["queue"][5] == "-"
    assert lines["accuracy"][1:] == ("90.00 %", "", "-", "-", "-")
    busy = [name for name in lines if name.startswith("busy")]
    assert busy == [f"busy <i>{number}" for number in range(19, 9, -1)]
    assert "… 10 more, less busy" in lines
    assert both_tables.error({"error": 0.0004}) == "0.0 %"
    assert both_tables.error({"error": -0.0006}) == "-0.1 %"
    assert both_tables.error({"error": 25.5}) == "+2,550.0 %"
    assert both_tables.requests(load) == (
        "predicted: 3 of 3 answered, 1 degraded; measured: 2 of 3 answered, 1 failed"
    )
    assert both_tables.requests({**load, "partial": True}).endswith("1 failed; interrupted")


def test_outcomes_that_any_request_had_are_shares_with_their_difference_in_points() -> None:
    load = comparison()["loads"][0]
    none = dict.fromkeys(("predicted", "measured", "difference"), 0.0)
    outcomes = {
        "in_time": {"predicted": 0.5, "measured": 0.625, "difference": -0.125},
        "late": none,
        "degraded": none,
        "dropped": {"predicted": 0.5, "measured": 0.375, "difference": 0.125},
        "failed": none,
    }
    rows = [row.cells for row in both_tables.load_table({**load, "outcomes": outcomes}).rows]
    assert [row for row in rows if row[5].endswith("points")] == [
        ("in time", "50.0 %", "", "62.5 %", "", "-12.5 points"),
        ("dropped", "50.0 %", "", "37.5 %", "", "+12.5 points"),
    ]
    # Nothing is told where all were in time.
    whole = {**outcomes, "in_time": {**none, "predicted": 1.0, "measured": 1.0}, "dropped": none}
    rows = [row.cells for row in both_tables.load_table({**load, "outcomes": whole}).rows]
    assert not [row for row in rows if row[5].endswith("points")]
