"""What happens at one instant has all happened when a node that batches looks at its queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim import api
from edgesim.hardware import Queue
from edgesim.simulate import Recording, Traffic
from edgesim.simulate.arrivals import Closed, Offline, Trace
from tests.edgesim.simulate.models import at, cluster, link, node, plan, play, spans, task

ONE_TASK = plan([task("t", "A", 1.0)])


def executions(recording: Recording) -> list[tuple[float, float, int]]:
    """Return start, end and size of every batch of a task, in order."""
    found: dict[tuple[float, float], int] = {}
    for _, name, start_s, end_s in spans(recording):
        if "→" not in name:
            found[start_s, end_s] = found.get((start_s, end_s), 0) + 1
    return [(start_s, end_s, size) for (start_s, end_s), size in sorted(found.items())]


def test_offline_samples_run_in_one_batch(tmp_path: Path) -> None:
    path = tmp_path / "offline.yaml"
    path.write_text(
        """\
name: offline-first-batch
model: {name: vit_tiny_patch16_224, precision: fp16}
placement: {strategy: single}
nodes: {g: {device: nvidia-a100, batch: {max: 8}}}
traffic: {arrivals: offline, requests: 8}
"""
    )
    recording = api.run(api.load(path)).recordings[0]
    assert recording.nodes["g"].executions == 1
    assert len(set(recording.latency_s.tolist())) == 1
    assert recording.nodes["g"].max_queue == 0


@pytest.mark.parametrize(
    "traffic",
    [
        Offline(requests=8),
        Closed(requests=8, concurrency=4),
        Trace(requests=8, times_s=(0.0,) * 4 + (4.0,) * 4),
    ],
    ids=lambda one: one.arrivals,
)
def test_requests_of_one_instant_share_a_batch(traffic: Traffic) -> None:
    recording = play(ONE_TASK, cluster([node(batch_max=4)]), traffic)
    assert executions(recording) == [(0.0, 4.0, 4), (4.0, 8.0, 4)]


def test_a_batch_that_ends_as_a_request_comes_is_followed_by_all_that_wait() -> None:
    # The arrival of the last request was scheduled after the end of the first execution.
    recording = play(ONE_TASK, cluster([node(batch_max=4)]), at(0.0, 0.5, 1.0))
    assert executions(recording) == [(0.0, 1.0, 1), (1.0, 3.0, 2)]


def test_a_request_that_comes_as_the_wait_ends_is_in_the_batch() -> None:
    recording = play(ONE_TASK, cluster([node(batch_max=4, batch_wait_s=0.5)]), at(0.0, 0.5))
    assert executions(recording) == [(0.5, 2.5, 2)]


def test_the_wait_counts_from_the_instant_at_which_the_head_was_ready() -> None:
    # The node is busy until 1.0; a head that came at 0.25 has waited for its half second by then.
    where = cluster([node(batch_max=2, batch_wait_s=0.5)])
    recording = play(ONE_TASK, where, at(0.0, 0.0, 0.25, 2.1))
    assert executions(recording) == [(0.0, 2.0, 2), (2.0, 3.0, 1), (3.0, 4.0, 1)]


def test_inputs_whose_flows_end_at_one_instant_share_a_batch() -> None:
    nodes, links = [node("in"), node("A", batch_max=2)], [link("l", 1.0)]
    what = plan([task("t", "A", 1.0)], [(None, "t", 4.0)], input_node="in")
    recording = play(what, cluster(nodes, links, {("in", "A"): ["l"]}), at(0.0, 0.0))
    assert executions(recording) == [(8.0, 10.0, 2)]


def test_a_node_that_does_not_batch_keeps_its_order_of_ties() -> None:
    where = cluster([node(queue=Queue(order="priority"))])
    what = plan([task("low", "A", 1.0, priority=5), task("high", "A", 1.0, priority=1)])
    assert spans(play(what, where, at(0.0))) == [(0, "low", 0.0, 1.0), (0, "high", 1.0, 2.0)]
