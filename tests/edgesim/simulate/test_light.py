"""4f accelerators in the simulator: printed times, batches, joules by part."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgesim.graph import Graph, OpKind
from edgesim.hardware import Batch, Cluster, Device, Network, Node, Outage, Variability, catalog
from edgesim.hardware.network import Faults
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.simulate import Recording, simulate
from edgesim.simulate.arrivals import Closed
from tests.edgesim.hardware.optical import HOST, accelerator, chain, conv, linear, pointwise
from tests.edgesim.simulate.models import Flops, Power


def play(
    graph: Graph,
    device: Device,
    requests: int,
    batch: int = 1,
    *,
    samples: int = 1,
    **node: object,
) -> Recording:
    """Play requests of ``samples`` images, all there at once, on one node, in batches."""
    host = Node(name="light", device=device, batch=Batch(max=batch, wait_s=1.0), **node)  # type: ignore[arg-type]
    task = Task(name="model", node="light", graph=graph)
    plan = Plan(
        strategy="single", precision="fp32", branches=(Branch(tasks=(task,), transfers=()),)
    )
    cluster = Cluster(nodes={"light": host}, network=Network(links={}, routes={}))
    traffic = Closed(requests=requests, concurrency=requests, samples=samples)
    return simulate(plan, cluster, traffic, seed=1)


def network(name: str, rows: list[tuple[int, int, int, int]]) -> Graph:
    """Convolutions (channels in, out, image side, kernel side) that keep their size, with ReLU."""
    ops = []
    for number, (i, o, m, n) in enumerate(rows):
        padding = (n - 1) // 2
        ops.append(
            conv(f"conv{number}", (i, o), (m, m), (n, n), padding=(padding, padding),
                 out_size=(m, m))
        )  # fmt: skip
        ops.append(pointwise(f"relu{number}", OpKind.ACTIVATION, o * m * m))
    return chain(*ops, name=name)


def resnet18() -> Graph:
    """ResNet-18 as FatNet counts it: 1,220,800 pairs of channels."""
    rows = [(3, 64, 32, 3)]
    for width, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        rows += [(rows[-1][1], width, side, 3)] + [(width, width, side, 3)] * 3
    return network("resnet18", rows)


def fatnet() -> Graph:
    """FatNet's layers before its classifier, by the authors' public model: 148,637 pairs."""
    rows = [(3, 64, 32, 7)] + [(64, 64, 16, 3)] * 4
    rows += [(64, 82, 16, 4)] + [(82, 82, 10, 5)] * 3
    rows += [(82, 78, 10, 7)] + [(78, 78, 10, 10)] * 3
    rows += [(78, 151, 10, 10), (151, 155, 10, 10), (155, 151, 10, 10), (151, 155, 10, 10)]
    return network("fatnet", rows)


@pytest.mark.parametrize(
    ("graph", "batch", "printed_s"),
    [(resnet18(), 64, "3.815e-02"), (fatnet(), 3136, "9.479e-05")],
    ids=["ResNet-18", "FatNet"],
)
def test_fatnets_table_3_comes_out_of_the_simulator(
    graph: Graph, batch: int, printed_s: str
) -> None:
    """Times of an image in print, which leaves out all electronics, as the entry's ideal host does.

    Pooling between layers, which takes the ideal host no time, is left out here too.
    """
    recording = play(graph, catalog.device("4f-fatnet-2160"), 1, samples=batch)
    assert recording.nodes["light"].executions == 1
    assert f"{recording.simulated_s / batch:.3e}" == printed_s


def test_a_batch_takes_as_many_frames_as_one_image_where_the_plane_has_room() -> None:
    graph = chain(conv("conv", (2, 3), (7, 7), (3, 3), padding=(1, 1)))
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    one = play(graph, device, requests=1)
    many = play(graph, device, requests=64, batch=64)
    apart = play(graph, device, requests=64)
    assert many.simulated_s < 1.01 * one.simulated_s
    assert apart.simulated_s == pytest.approx(64 * one.simulated_s)


GRAPH = chain(
    conv("conv", (2, 3), (9, 9), (3, 3)),
    pointwise("norm", OpKind.NORM, 147),
    linear("fc", 1, (147, 10)),
)


def test_joules_of_the_parts_sum_to_those_of_the_node() -> None:
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    for options in ({}, {"variability": Variability(kind="lognormal", cv=0.5)}):
        recording = play(GRAPH, device, 20, 4, **options)
        node, cost = recording.nodes["light"], device.graph_cost(GRAPH, "fp32", 4)
        assert set(node.energy_by_part_j) == {"laser", "input", "filter", "camera", "host"}
        assert math.fsum(node.energy_by_part_j.values()) == pytest.approx(node.energy_j, rel=1e-12)
        # Nothing sleeps: constant draws for the whole run, whatever it does.
        assert node.energy_by_part_j["camera"] == pytest.approx(100 * recording.simulated_s)
        if not options:
            host_j = 5 * cost.by_part_j["host"]
            assert node.energy_by_part_j["host"] == pytest.approx(host_j)


def test_a_node_that_fails_draws_nothing_while_it_is_down() -> None:
    device = accelerator(preset="dmd-dlp7000", host=HOST)
    whole_s = play(GRAPH, device, 1).simulated_s
    outage = Outage(at_s=0.4 * whole_s, duration_s=1.0)
    faults = Faults(mtbf_s=None, mttr_s=None, schedule=(outage,))
    recording = play(GRAPH, device, 3, faults=faults)
    node = recording.nodes["light"]
    assert math.fsum(node.energy_by_part_j.values()) == pytest.approx(node.energy_j, rel=1e-12)
    up_s = recording.simulated_s - node.down_s
    assert node.energy_by_part_j["camera"] == pytest.approx(100 * up_s)


class _Told(Flops):
    """A device that tells parts of executions but not of its idle power."""

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1):  # type: ignore[no-untyped-def]
        cost = super().graph_cost(graph, precision, batch)
        joules = cost.power_w * cost.time_s
        return replace(cost, by_part_j={"a": 0.25 * joules, "b": 0.75 * joules})


def test_what_a_device_leaves_untold_is_the_rest() -> None:
    device = _Told(rate=1e3, power=Power(idle_w=2.0, busy_w=10.0))
    node = play(GRAPH, device, 5).nodes["light"]
    assert sum(node.energy_by_part_j.values()) == pytest.approx(node.energy_j, rel=1e-12)
    assert node.energy_by_part_j["b"] == pytest.approx(0.75 * node.energy_j)
    assert node.energy_by_part_j["rest"] == pytest.approx(0.0, abs=1e-9 * node.energy_j)


def test_processors_tell_no_parts() -> None:
    node = play(GRAPH, catalog.device("raspberry-pi-5"), 5).nodes["light"]
    assert node.energy_by_part_j == {}
