"""A case for every key of a processor."""

from __future__ import annotations

from edgesim.graph import fingerprint, zoo
from tests.edgesim.every_key.cases import Case
from tests.edgesim.every_key.published_cases import published_cases
from tests.edgesim.every_key.scenario_cases import HOT, MODEL, TASKS

TIMED = fingerprint(zoo.build("vit_tiny_patch16_224", classes=10, depth=2, image_size=32))
MEASURED = (
    f"nodes.n.device.measured=[{{model: it, operators: {TIMED}, precision: fp32, batch: 1, "
    "time: 1 ms, runs: 10}]",
)
SERVED = """
model: {artifact: examples/fashion-2}
placement: {strategy: class-wise, input: n, fusion: n, nodes: [pi]}
nodes:
  n: {device: {peak: {fp32: 10 GFLOP/s}}, address: "127.0.0.1:5001"}
  pi: {device: raspberry-pi-4b, count: 2, address: ["127.0.0.1:5002", "127.0.0.1:5003"]}
network: {switch: {bandwidth: 1 Gbit/s}}
traffic: {arrivals: periodic, rate: 10/s, requests: 10}
"""
MESSAGING = ("nodes.n.device.messaging={per_message: 1 ms, cooling: {share: 1, time: 1 s}}",)
FAST = ("nodes.n.device.memory.bandwidth=100 GB/s",)
RUNTIMES = (
    "nodes.n.device.runtimes={ncnn: {factors: {fp32: {time: 2}}}}",
    "nodes.n.device.runtime=ncnn",
)
COOLING = ("nodes.n.device.cooling={share: 50 %, time: 10 ms}",)


CASES: dict[str, Case] = {
    "processor.kind": Case(
        MODEL,
        "{kind: optical-4f, preset: ideal, host: raspberry-pi-4b}",
        at="nodes.n.device",
    ),
    "processor.description": Case(MODEL, "a board", outcome="device"),
    "processor.peak": Case(MODEL, "{fp32: 30 GFLOP/s}", given=FAST),
    "processor.cores": Case(TASKS, "2", given=("model.tasks.a.cores=1",)),
    "processor.efficiency": Case(MODEL, "{linear: 50 %}", given=FAST),
    "processor.half_saturation": Case(MODEL, "4", given=FAST),
    "processor.launch_overhead": Case(MODEL, "10 us"),
    "processor.memory.capacity": Case(MODEL, "2 GB"),
    "processor.memory.reserve": Case(MODEL, "400 MB"),
    "processor.memory.bandwidth": Case(MODEL, "1 GB/s"),
    "processor.fused": Case(MODEL, "[transcendental]"),
    "processor.runtime": Case(MODEL, "tflite", given=RUNTIMES),
    "processor.runtimes.*.factors": Case(
        MODEL, "{fp32: {time: 3}}", given=RUNTIMES, at="nodes.n.device.runtimes.ncnn.factors"
    ),
    "processor.runtimes.*.fused": Case(
        MODEL, "[transcendental]", given=RUNTIMES, at="nodes.n.device.runtimes.ncnn.fused"
    ),
    "processor.power.idle": Case(MODEL, "2 W"),
    "processor.power.busy": Case(MODEL, "5 W"),
    "processor.power.sending": Case(MODEL, "2 W"),
    "processor.power.receiving": Case(MODEL, "2 W"),
    "processor.messaging.per_message": Case(MODEL, "1 ms"),
    "processor.messaging.per_byte": Case(MODEL, "1 ns/B"),
    "processor.messaging.delay": Case(MODEL, "1 ms"),
    "processor.messaging.asking.per_request": Case(SERVED, "1 ms", outcome="served"),
    "processor.messaging.asking.per_message": Case(SERVED, "1 ms", outcome="served"),
    "processor.messaging.asking.per_byte": Case(SERVED, "1 ns/B", outcome="served"),
    "processor.messaging.cooling.share": Case(SERVED, "2", given=MESSAGING, outcome="served"),
    "processor.messaging.cooling.time": Case(SERVED, "2 s", given=MESSAGING, outcome="served"),
    "processor.decode.jpeg": Case(
        MODEL,
        "20 Mpixel/s",
        given=("traffic.payload={bytes: 1 kB}", "nodes.n.device.decode={jpeg: 10 Mpixel/s}"),
    ),
    "processor.measured[].model": Case(MODEL, "that", given=MEASURED, outcome="device"),
    "processor.measured[].operators": Case(MODEL, '"' + "0" * 64 + '"', given=MEASURED),
    "processor.measured[].precision": Case(MODEL, "int8", given=MEASURED),
    "processor.measured[].batch": Case(MODEL, "2", given=MEASURED),
    "processor.measured[].time": Case(MODEL, "2 ms", given=MEASURED),
    "processor.measured[].runs": Case(MODEL, "20", given=MEASURED, outcome="device"),
    "processor.cooling.share": Case(MODEL, "100 %", given=COOLING),
    "processor.cooling.time": Case(MODEL, "100 ms", given=COOLING),
    "processor.thermal.resistance": Case(HOT, "6 K/W"),
    "processor.thermal.time_constant": Case(HOT, "2 s"),
    "processor.thermal.limit": Case(HOT, "70 °C"),
    "processor.thermal.release": Case(HOT, "55 °C"),
    "processor.thermal.speed": Case(HOT, "40 %"),
    "processor.spread": Case(
        MODEL,
        "[0.5, 1, 1.5]",
        given=("nodes.n.variability=measured", "nodes.n.device.spread=[0.9, 1, 1.1]"),
    ),
    "processor.source": Case(MODEL, "{peak: a data sheet}", outcome="page"),
    **published_cases("processor", MODEL, "fp32", "int8"),
}
