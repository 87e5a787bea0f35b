"""A case for every key of a photonic crossbar."""

from __future__ import annotations

from tests.edgesim.every_key.cases import Case
from tests.edgesim.every_key.host_cases import host_cases, served_by
from tests.edgesim.every_key.published_cases import published_cases

DEVICE = (
    "{kind: photonic-crossbar, precision: [int4, int8], "
    "array: {tiles: 4, cores: 2, rows: 12, columns: 12, wavelengths: 12, clock: 5 GHz, "
    "accumulation: 3}, laser: {wall_plug_efficiency: 20 %}, "
    "modulator: {energy: 450 fJ, ring: 0.275 mW}, dac: {bits: 8, rate: 14 GHz, power: 50 mW}, "
    "detector: {power: 1.1 mW, sensitivity: 3 uW}, adc: {bits: 8, rate: 10 GHz, power: 14.8 mW}, "
    "registers: {energy: 0.04 pJ/B}, network: {energy: 1 pJ/B}, local: {energy: 0.5 pJ/B}, "
    "buffer: {energy: 0.8 pJ/B}, memory: {energy: 31 pJ/B, bandwidth: 1 TB/s}, "
    "digital: {clock: 500 MHz, operation: 100 fJ, softmax: 1 pJ/B, "
    "operations: {norm: 5, transcendental: 8, elementwise: 1}}, power: {idle: 5 W}}"
)
CROSSBAR = f"""
model: {{name: vit_tiny_patch16_224, depth: 1, image_size: 64, classes: 10, precision: int4}}
placement: {{strategy: single, input: m, nodes: [n]}}
nodes:
  n: {{device: {DEVICE}}}
  m: {{device: {{peak: {{int4: 1 GFLOP/s}}}}}}
network: {{switch: {{bandwidth: 10 Mbit/s}}}}
traffic: {{arrivals: periodic, rate: 20/s, requests: 4}}
"""
HOST = (
    "{peak: {int4: 100 GFLOP/s, fp32: 100 GFLOP/s}, power: {idle: 10 W, busy: 50 W}, "
    "memory: {capacity: 16 GB, bandwidth: 20 GB/s}}"
)
HOSTED = CROSSBAR.replace("power: {idle: 5 W}}", f"power: {{idle: 1 W}}, host: {HOST}}}")
SERVED = served_by(DEVICE).replace("fusion: n", "fusion: pi-0")
AT = "nodes.n.device"
SCALINGS = "{moderate: {dac: {power: 25 mW}}}"
MESSAGING = (
    f"{AT}.messaging={{per_message: 1 ms, asking: {{per_message: 1 ms}}, "
    "cooling: {share: 1, time: 1 s}}",
)


def _case(new: str, *given: str, **more: object) -> Case:
    return Case(CROSSBAR, new, given=given, **more)  # type: ignore[arg-type]


CASES: dict[str, Case] = {
    "photonic-crossbar.kind": _case("{peak: {int4: 10 GFLOP/s}}", at=AT),
    "photonic-crossbar.description": _case("a chip", outcome="device"),
    "photonic-crossbar.precision": _case("[int8]", refused="new"),
    "photonic-crossbar.array.tiles": _case("2"),
    "photonic-crossbar.array.cores": _case("4"),
    "photonic-crossbar.array.rows": _case("16"),
    "photonic-crossbar.array.columns": _case("16"),
    "photonic-crossbar.array.wavelengths": _case("16"),
    "photonic-crossbar.array.clock": _case("4 GHz"),
    "photonic-crossbar.array.accumulation": _case("1"),
    "photonic-crossbar.array.inputs": _case("24"),
    "photonic-crossbar.array.rings": _case("1000"),
    "photonic-crossbar.laser.wall_plug_efficiency": _case("10 %"),
    "photonic-crossbar.laser.power": _case("2 mW", f"{AT}.laser={{power: 1 mW}}"),
    **{
        f"photonic-crossbar.loss.{key}": _case("3 dB")
        for key in ("modulator", "ring", "splitter", "shifter", "coupler")
    },
    "photonic-crossbar.modulator.energy": _case("500 fJ"),
    "photonic-crossbar.modulator.power": _case("1 mW"),
    "photonic-crossbar.modulator.ring": _case("0.2 mW"),
    "photonic-crossbar.scaling": _case("moderate", f"{AT}.scalings={SCALINGS}", old="conservative"),
    "photonic-crossbar.scalings": _case(
        "{moderate: {dac: {power: 20 mW}}}",
        f"{AT}.scalings={SCALINGS}",
        f"{AT}.scaling=moderate",
    ),
    "photonic-crossbar.area": _case("{ring: 410 um^2}", outcome="device"),
    **{
        f"photonic-crossbar.{part}.{key}": _case(new, f"{AT}.precision=[int4]")
        for part in ("dac", "adc")
        for key, new in (("bits", "6"), ("rate", "12 GHz"), ("power", "60 mW"))
    },
    "photonic-crossbar.detector.power": _case("2 mW"),
    "photonic-crossbar.detector.sensitivity": _case("4 uW"),
    "photonic-crossbar.detector.amplifier": _case("3 mW"),
    "photonic-crossbar.detector.adder": _case("50 uW"),
    "photonic-crossbar.registers.energy": _case("1 pJ/B"),
    "photonic-crossbar.network.energy": _case("2 pJ/B"),
    **published_cases("photonic-crossbar", CROSSBAR, "int4", "int8"),
    "photonic-crossbar.local.energy": _case("2 pJ/B"),
    "photonic-crossbar.local.capacity": _case("512 B"),
    "photonic-crossbar.buffer.energy": _case("2 pJ/B"),
    "photonic-crossbar.buffer.capacity": _case("4 kB"),
    "photonic-crossbar.buffer.bandwidth": _case("1 GB/s"),
    "photonic-crossbar.memory.energy": _case("2 pJ/B"),
    "photonic-crossbar.memory.capacity": _case("1 MB"),
    "photonic-crossbar.memory.bandwidth": _case("1 GB/s"),
    "photonic-crossbar.digital.clock": _case("100 MHz"),
    "photonic-crossbar.digital.operation": _case("200 fJ"),
    "photonic-crossbar.digital.softmax": _case("2 pJ/B"),
    "photonic-crossbar.digital.operations": _case("{norm: 6, transcendental: 8, elementwise: 1}"),
    **host_cases("photonic-crossbar", HOSTED, "[elementwise]", None),
    "photonic-crossbar.link": Case(HOSTED, "1 GB/s"),
    "photonic-crossbar.power.idle": _case("6 W"),
    "photonic-crossbar.power.sending": _case("7 W"),
    "photonic-crossbar.power.receiving": _case("7 W"),
    "photonic-crossbar.messaging.per_message": _case("1 ms"),
    "photonic-crossbar.messaging.per_byte": _case("1 ns/B"),
    "photonic-crossbar.messaging.delay": _case("1 ms"),
    "photonic-crossbar.messaging.asking.per_request": Case(SERVED, "1 ms", outcome="served"),
    "photonic-crossbar.messaging.asking.per_message": Case(SERVED, "1 ms", outcome="served"),
    "photonic-crossbar.messaging.asking.per_byte": Case(SERVED, "1 ns/B", outcome="served"),
    "photonic-crossbar.messaging.cooling.share": Case(
        SERVED, "2", given=MESSAGING, outcome="served"
    ),
    "photonic-crossbar.messaging.cooling.time": Case(
        SERVED, "2 s", given=MESSAGING, outcome="served"
    ),
    "photonic-crossbar.source": _case("{link: a paper, array.tiles: another}", outcome="page"),
}
