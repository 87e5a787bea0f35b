"""Encoded images in place of raw tensors: times, joules, plans and refusals, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from edgesim import api
from edgesim.common.errors import InputError, PlanError
from edgesim.hardware import catalog
from edgesim.placement import Plan
from edgesim.placement.bounds import bottleneck
from edgesim.placement.payload import Decoding
from edgesim.results.result import Result
from edgesim.scenario import Scenario

RATE_PX_S, SIZE, CLASSES = 10e6, 1_000, 10
PIXELS = 32 * 32
RAW = 3 * PIXELS * 4
BANDWIDTH_BYTE_S, LATENCY_S = 10e6 / 8, 1e-3
DEVICE: dict[str, Any] = {
    "peak": {"fp32": "20 GFLOP/s"}, "cores": 2, "decode": {"jpeg": "10 Mpixel/s"},
    "power": {"idle": "1 W", "busy": "3 W"},
}  # fmt: skip
PAYLOAD = {"bytes": SIZE, "encoding": "jpeg"}
VIT = {"name": "vit_tiny_patch16_224", "depth": 2, "image_size": 32, "classes": CLASSES}


def load(payload: dict[str, Any] | None = None, **sections: Any) -> Scenario:
    traffic = {"arrivals": "periodic", "rate": 1, "requests": 3, **sections.pop("traffic", {})}
    if payload is not None:
        traffic["payload"] = payload
    document = {
        "model": VIT,
        "placement": {"strategy": "single", "input": "cam", "nodes": ["n"]},
        "nodes": {"cam": {"device": DEVICE}, "n": {"device": DEVICE}},
        "network": {"switch": {"bandwidth": "10 Mbit/s", "latency": LATENCY_S}},
        "traffic": traffic,
        **sections,
    }
    return api.load(document)


def play(scenario: Scenario) -> tuple[Plan, Result]:
    return api.place(scenario), api.run(scenario)


def test_the_image_travels_in_place_of_the_tensor_and_is_decoded() -> None:
    _, raw = play(load())
    plan, encoded = play(load(PAYLOAD))
    assert [one.bytes for one in plan.branches[0].transfers] == [SIZE, CLASSES * 4]
    decode_s, saved_s = PIXELS / RATE_PX_S, (RAW - SIZE) / BANDWIDTH_BYTE_S
    for name, more_s in (("compute", decode_s), ("transfer", -saved_s)):
        change_s = encoded.summary["breakdown_s"][name] - raw.summary["breakdown_s"][name]
        assert change_s == pytest.approx(more_s, rel=1e-9), name
    carried = {name: link["bytes"] for name, link in encoded.summary["links"].items()}
    assert set(carried.values()) == {3 * (SIZE + CLASSES * 4)}
    # One core of two decodes: half of what computing draws above idle power.
    above_j = [
        one.summary["nodes"]["n"]["energy_j"] - one.summary["simulated_s"] for one in (raw, encoded)
    ]
    assert above_j[1] - above_j[0] == pytest.approx(3 * 1.0 * decode_s, rel=1e-6)


@pytest.mark.parametrize(("samples", "batch"), [(1, 1), (3, 1), (2, 4)])
def test_every_sample_of_a_batch_is_decoded(samples: int, batch: int) -> None:
    nodes = {"cam": {"device": DEVICE}, "n": {"device": DEVICE, "batch": {"max": batch}}}
    scenarios = [load(one, nodes=nodes, traffic={"samples": samples}) for one in (None, PAYLOAD)]
    raw, encoded = (bottleneck(api.place(one), one.cluster, samples) for one in scenarios)
    decode_s = samples * PIXELS / RATE_PX_S
    assert encoded.node_s["n"] - raw.node_s["n"] == pytest.approx(decode_s, rel=1e-9)
    assert encoded.link_s["cam-switch"] == pytest.approx(samples * SIZE / BANDWIDTH_BYTE_S)


def test_bounds_are_what_is_simulated() -> None:
    scenario = load(PAYLOAD)
    plan, found = play(scenario)
    bounds = bottleneck(plan, scenario.cluster)
    assert found.summary["latency_s"]["max"] == pytest.approx(bounds.latency_s, rel=1e-9)


def test_each_part_and_the_first_stage_decode_and_no_other_task() -> None:
    parts = {"strategy": "class-wise", "input": "cam", "fusion": "cam", "submodels": 2, "heads": 1}
    plan = api.place(load(PAYLOAD, placement=parts))
    wanted = Decoding("jpeg", PIXELS)
    assert {task.name: task.decoding for task in plan.branches[0].tasks} == {
        "part-0": wanted, "part-1": wanted, "fusion": None,
    }  # fmt: skip
    stages = {"strategy": "pipeline", "input": "cam", "nodes": ["n", "cam"]}
    nodes = {name: {"device": {**DEVICE, "memory": {"capacity": "3 MB"}}} for name in ("cam", "n")}
    plan = api.place(load(PAYLOAD, placement=stages, nodes=nodes))
    assert [task.decoding for task in plan.branches[0].tasks] == [wanted, None]


@pytest.mark.parametrize("strategy", ["single", "pipeline"])
def test_planners_count_the_decoding(strategy: str) -> None:
    """The faster node, which decodes slowly, is chosen for tensors alone."""
    slow = {**DEVICE, "peak": {"fp32": "21 GFLOP/s"}, "decode": {"jpeg": "0.1 Mpixel/s"}}
    nodes = {"cam": {"device": DEVICE}, "a": {"device": slow}, "b": {"device": DEVICE}}
    placement = {"strategy": strategy, "input": "cam", "nodes": ["a", "b"]}
    if strategy == "pipeline":
        placement["objective"] = "latency"
    network = {"switch": {"bandwidth": "1 Gbit/s", "latency": "1 ms"}}
    chosen = [
        api.place(load(one, placement=placement, nodes=nodes, network=network))
        for one in (None, PAYLOAD)
    ]
    assert [[task.node for task in plan.branches[0].tasks] for plan in chosen] == [["a"], ["b"]]


def test_the_host_of_an_accelerator_decodes_and_its_parts_sum_to_its_energy() -> None:
    device = catalog.device("4f-dmd-dlp7000")
    host = device.decoder
    cost = Decoding("jpeg", 10_000_000).cost(device, 2)
    assert cost.time_s == pytest.approx(20e6 / host.decode.jpeg_px_s)
    core_w = (host.power.busy_w - host.power.idle_w) / host.cores
    assert cost.power_w == pytest.approx(device.power.idle_w + core_w)
    assert sum(cost.by_part_j.values()) == pytest.approx(cost.power_w * cost.time_s, rel=1e-12)


def test_another_clock_decodes_in_proportion() -> None:
    amended = {"base": "raspberry-pi-4b", "clock": "1.8 GHz"}
    base = catalog.device("raspberry-pi-4b").decode.jpeg_px_s
    assert base is not None
    found = catalog.from_mapping("pi", amended).decode.jpeg_px_s
    assert found == pytest.approx(1.2 * base)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"placement": {"strategy": "single", "nodes": ["n"]}}, "give 'placement' an 'input'"),
        ({"payload": {"bytes": 0}}, "traffic.payload.bytes"),
        ({"payload": {"bytes": "1 kB", "encoding": "jpg"}}, "traffic.payload.encoding"),
        ({"payload": {"encoding": "jpeg"}}, "payload"),
        (
            {
                "model": {"tasks": {"a": {"flop": "1 GFLOP", "node": "n"}}},
                "placement": {"strategy": "manual"},
            },
            "of 'model.tasks', give the transfers",
        ),
        ({"model": {**VIT, "channels": 4}}, "an image of 1 or 3 channels"),
    ],
)
def test_what_cannot_travel_so_is_one_message(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(sections.pop("payload", PAYLOAD), **sections)


def test_a_device_without_a_rate_is_named_with_what_to_write() -> None:
    plain = {key: one for key, one in DEVICE.items() if key != "decode"}
    nodes = {"cam": {"device": plain}, "n": {"device": plain}}
    with pytest.raises(InputError, match=r"'n' has no rate .* give it one: 'decode: {jpeg: 30"):
        api.place(load(PAYLOAD, nodes=nodes))
    parts = {"strategy": "class-wise", "input": "cam", "fusion": "cam", "submodels": 2, "heads": 1}
    nodes = {"cam": {"device": plain}, "n": {"device": DEVICE}, "spare": {"device": plain}}
    standby = load(
        PAYLOAD, placement={**parts, "nodes": ["n"]}, nodes=nodes, recovery={"standby": ["spare"]}
    )
    with pytest.raises(PlanError, match="node 'spare' cannot run 'part-0': device 'spare' has no"):
        api.place(standby)
