"""Parts of the pages against what they are by other means."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from edgesim.report import chart
from edgesim.report.page import load, plan_graph, timeline
from edgesim.report.page.plan_document import plan_document
from edgesim.results import tables_csv
from edgesim.simulate import Span
from edgesim.simulate.arrivals import Periodic
from edgesim.simulate.recording import transfer_name
from tests.edgesim.cases import play

MATRICES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    "all cones": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
}  # fmt: skip
"""Of linear RGB: Machado, Oliveira, Fernandes, IEEE TVCG 15(6), 2009, severity 1."""


def lab(colour: str, matrix: list[list[float]]) -> np.ndarray:
    """Return CIELAB of a colour as somebody sees it, white D65."""
    coded = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(matrix) @ linear, 0.0, 1.0)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    x = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, from 0 to 1 (WCAG 2.2)."""
    values = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    # The two greys around the limit of AA that WebAIM's checker gives.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colours", [chart.LIGHT, chart.DARK], ids=["light", "dark"])
def test_texts_and_marks_stand_out(colours: dict[str, str]) -> None:
    for ground in ("paper", "card"):
        for name in ("ink", "dim", "link"):
            assert contrast(colours[name], colours[ground]) >= 4.5, name
        for name in ("queue", "compute", "transfer", "fusion", "idle", "mark"):
            assert contrast(colours[name], colours[ground]) >= 3.0, name
    assert contrast(colours["warn-ink"], colours["warn"]) >= 4.5


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("colours", [chart.LIGHT, chart.DARK], ids=["light", "dark"])
def test_parts_differ_to_everyone(colours: dict[str, str], matrix: list[list[float]]) -> None:
    # A difference of 2.3 is just seen; marks that touch have a line between them besides.
    parts = ("queue", "compute", "transfer", "fusion")
    for one, other in itertools.combinations(parts, 2):
        assert np.linalg.norm(lab(colours[one], matrix) - lab(colours[other], matrix)) > 10.0


def test_layers_are_those_of_networkx() -> None:
    noise = np.random.default_rng(3)
    for _ in range(20):
        names = [f"t{number}" for number in range(12)]
        edges = [
            (names[a], names[b], 1.0)
            for a, b in itertools.combinations(range(12), 2)
            if noise.random() < 0.2
        ]
        graph = nx.DiGraph()
        graph.add_nodes_from(names)
        graph.add_edges_from((source, target) for source, target, _ in edges)
        expected = [sorted(layer) for layer in nx.topological_generations(graph)]
        assert [sorted(layer) for layer in plan_graph.layers(names, edges)] == expected


def span(request: int, start: float, end: float, node: str = "n", task: str = "work") -> Span:
    return Span(request, task, node, "", "compute", start, end, 1.0)


def test_spans_that_overlap_lie_in_lanes_of_their_own() -> None:
    noise = np.random.default_rng(4)
    starts = noise.uniform(0, 10, 200)
    spans = [span(i, s, s + noise.uniform(0, 1)) for i, s in enumerate(starts.tolist())]
    rows = timeline.arranged(spans, {})
    assert len(rows.placed) == 200
    for one, other in itertools.combinations(rows.placed, 2):
        if one.lane == other.lane:
            assert (
                one.span.end_s <= other.span.start_s + 1e-9
                or other.span.end_s <= one.span.start_s + 1e-9
            )
    # No more lanes than spans at once.
    most = max(sum(s.start_s <= at < s.end_s for s in spans) for at in starts)
    assert rows.lanes == (most,)


def test_only_whole_requests_are_shown_and_nodes_stand_in_their_order() -> None:
    spans = [span(r, r, r + 1, f"pi-{n}") for r in range(9) for n in (10, 9, 1)]
    rows = timeline.arranged(spans, {}, most=8)
    assert rows.requests == 2
    assert len(rows.placed) == 6
    assert [track.name for track in rows.tracks] == ["pi-1", "pi-9", "pi-10"]


def test_transfers_lie_on_the_links_of_their_route() -> None:
    sent = Span(0, "a→b", "x", "y", "transfer", 0.0, 1.0, 0.0)
    lost = Span(0, "a→c", "x", "z", "transfer", 0.0, 1.0, 0.0)
    rows = timeline.arranged([sent, lost], {("x", "y"): ["x-switch", "y-switch"]})
    assert [track.name for track in rows.tracks] == ["x sends", "x-switch", "y-switch"]


def test_utilization_over_time_is_that_of_the_run() -> None:
    result = play()
    document = plan_document(result.scenario, result.plan)
    requests = tables_csv.columns(result.recordings)
    recording = result.recordings[0]
    end, found = load.loads(requests, recording.spans, document, bins=50)
    assert end == max(one.end_s for one in recording.spans)
    for node in ("a", "b"):
        busy_s = float(found[node].busy.mean()) * end
        assert busy_s == pytest.approx(recording.nodes[node].busy_s, rel=1e-9)
    # One task a request: what waits at the nodes is the requests' time in queues.
    waited_s = sum(float(one.waiting.mean()) for one in found.values()) * end
    assert waited_s == pytest.approx(float(requests.breakdown_s["queue"].sum()), rel=1e-9)


def test_load_does_not_depend_on_what_tasks_are_called() -> None:
    waiting = {}
    for name in ("work", "a→work", "work→"):
        sent = Span(0, transfer_name(None, name), "in", "n", "transfer", 0.0, 1.0, 0.0)
        document = {
            "nodes": {"n": {"device": "d", "cores": 1, "host": None}},
            "branches": [{"tasks": [{"name": name, "node": "n", "cores": 1, "kind": "compute"}],
                          "transfers": [[None, name, 8.0]]}],
        }  # fmt: skip
        requests = tables_csv.Columns(
            replication=np.zeros(1, np.int64), index=np.arange(1), arrival_s=np.zeros(1),
            latency_s=np.full(1, 4.0), breakdown_s={},
        )  # fmt: skip
        ran = Span(0, name, "n", "", "compute", 3.0, 4.0, 0.0)
        _, found = load.loads(requests, [sent, ran], document, bins=4)
        waiting[name] = found["n"].waiting.tolist()
    # From the input's arrival to the start.
    assert set(map(tuple, waiting.values())) == {(0.0, 1.0, 1.0, 0.0)}


def test_load_by_hand() -> None:
    # Every 4 s a request of 2 s for two nodes in turn, the second request with the first: waits.
    result = play(traffic=Periodic(requests=4, rate_per_s=0.25))
    document = plan_document(result.scenario, result.plan)
    document["nodes"] = {"n": {"device": "d", "cores": 2, "host": None}}
    document["branches"] = [{"tasks": [{"name": "work", "node": "n", "cores": 1}],
                             "transfers": [[None, "work", 8.0]]}]  # fmt: skip
    requests = tables_csv.Columns(
        replication=np.zeros(3, np.int64), index=np.arange(3),
        arrival_s=np.array([0.0, 0.0, 7.5]), latency_s=np.array([2.0, 5.0, 2.0]),
        breakdown_s={},
    )  # fmt: skip
    spans = [span(0, 0.0, 2.0), span(1, 3.0, 5.0)]
    end, found = load.loads(requests, spans, document, bins=5)
    # Until the last end, which is before the third request, which was not traced.
    assert end == 5.0
    assert found["n"].busy.tolist() == pytest.approx([0.5, 0.5, 0.0, 0.5, 0.5])
    assert found["n"].waiting.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.0, 0.0])
    later = requests.arrival_s.copy()
    later[2] = 4.0
    end, _ = load.loads(
        tables_csv.Columns(replication=requests.replication, index=requests.index,
                           arrival_s=later, latency_s=requests.latency_s, breakdown_s={}),
        spans, document, bins=5,
    )  # fmt: skip
    assert math.isclose(end, 4.0)


def test_latencies_of_nothing_are_drawn() -> None:
    from edgesim.report.page import latency

    drawn = latency.distribution(np.zeros(3), {"latency_s": {"p50": 0.0, "p99": 0.0}}).drawings
    assert drawn.count('class="mark"') > 0
    assert "nan" not in drawn
    some = latency.distribution(np.array([0.0, 0.0, 2.0]), {"latency_s": {"p50": 0.0, "p99": 2.0}})
    assert "nan" not in some.drawings


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.131, 0.269), (0.1, 3.0), (1e-6, 1e3), (7.0, 7.3)])
def test_ticks_are_round_few_and_between_the_ends(low: float, high: float, log: bool) -> None:
    for most in (4, 8):
        found = chart.Scale(low, high, 0.0, 100.0, log).ticks(most)
        assert 2 <= len(found) <= most
        assert found == sorted(found)
        assert low <= found[0]
        assert found[-1] <= high * (1 + 1e-9)
        # Steps of 0.05 between 7 and 7.3 have three digits.
        assert all(float(f"{one:.3g}") == pytest.approx(one, rel=1e-12) for one in found)


def test_a_scale_puts_values_at_their_share() -> None:
    assert chart.Scale(1.0, 100.0, 0.0, 200.0, log=True)(10.0) == pytest.approx(100.0)
    assert chart.Scale(0.0, 4.0, 10.0, 50.0)(1.0) == pytest.approx(20.0)
    assert chart.Scale(0.0, 4.0, 10.0, 50.0)(9.0) == 50.0


def test_shortened_names_of_a_family_still_differ() -> None:
    names = ["raspberry-pi-4b", "raspberry-pi-5", "raspberry-pi-3b-plus"]
    assert len({chart.shortened(name, 9) for name in names}) == 3
    assert all(len(chart.shortened(name, 9)) <= 9 for name in names)
    assert chart.shortened("hub", 9) == "hub"
