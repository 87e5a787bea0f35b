"""A case for every key of a 4f accelerator; those of its host are in `host_cases`."""

from __future__ import annotations

from tests.edgesim.every_key.cases import Case
from tests.edgesim.every_key.host_cases import host_cases, served_by
from tests.edgesim.every_key.published_cases import published_cases

OPTICAL = """
model: {name: resnet18_cifar, classes: 10}
placement: {strategy: single, nodes: [n]}
nodes:
  n:
    device:
      kind: optical-4f
      laser: {wavelength: 532 nm, power: 1 nW, wall_plug_efficiency: 10 %}
      input:
        {kind: lcos-amplitude, pixels: 512, pitch: 8 um, bits: 8, power: 5 W, frame_time: 100 us}
      lens_1: {focal_length: 61.6 mm}
      filter: {kind: lcos-phase, pixels: 512, pitch: 8 um, bits: 8, power: 5 W, frame_time: 100 us}
      lens_2: {focal_length: 61.6 mm}
      camera:
        pixels: 512
        pitch: 8 um
        bits: 8
        power: 10 W
        exposure: 50 us
        readout: 20 us
        frame_time: 90 us
        full_well: 10000
      host:
        peak: {fp32: 100 GFLOP/s, fp16: 200 GFLOP/s}
        power: {idle: 10 W, busy: 50 W}
        memory: {capacity: 16 GB, bandwidth: 20 GB/s}
traffic: {arrivals: closed, requests: 2}
"""
MESSAGES = OPTICAL.replace("nodes: [n]}", "nodes: [n], input: m}").replace(
    "traffic:",
    "  m: {device: {peak: {fp32: 1 GFLOP/s}}}\nnetwork: {switch: {bandwidth: 10 Mbit/s}}\ntraffic:",
)
AT = "nodes.n.device"
BRIGHT = (f"{AT}.laser.power=1 mW",)
LINKED = (f"{AT}.link=100 MB/s",)
SLOW_CAMERA = (f"{AT}.camera.frame_time=1 ms",)


def _optical(new: str, *given: str, **more: object) -> Case:
    return Case(OPTICAL, new, given=given, outcome="optical", **more)  # type: ignore[arg-type]


def _modulator(key: str) -> dict[str, Case]:
    at = f"{AT}.{key}"
    return {
        f"optical-4f.{key}.pixels": _optical("256", *LINKED),
        f"optical-4f.{key}.pitch": _optical("10 um"),
        f"optical-4f.{key}.bits": _optical("4", *LINKED),
        f"optical-4f.{key}.power": _optical("6 W"),
        f"optical-4f.{key}.frame_time": _optical("1 ms"),
        f"optical-4f.{key}.frame_rate": _optical("1 kHz", f"{at}.frame_time="),
        f"optical-4f.{key}.kind": _optical("ideal", f"{at}.bits=", *LINKED),
        f"optical-4f.{key}.fill_factor": _optical("90 %"),
        f"optical-4f.{key}.efficiency": _optical("90 %"),
        f"optical-4f.{key}.load": _optical("1 ms"),
        f"optical-4f.{key}.settle": _optical("1 ms"),
        f"optical-4f.{key}.double_buffered": _optical("false", f"{at}.load=1 ms"),
        f"optical-4f.{key}.dac_energy": _optical("1 nJ"),
    }


def _lens(key: str) -> dict[str, Case]:
    return {
        f"optical-4f.{key}.focal_length": _optical("50 mm"),
        f"optical-4f.{key}.efficiency": _optical("90 %"),
    }


CASES: dict[str, Case] = {
    **host_cases(
        "optical-4f",
        MESSAGES,
        "[batchnorm, activation]",
        served_by("{kind: optical-4f, preset: ideal, host: {peak: {fp32: 10 GFLOP/s}}}"),
    ),
    "optical-4f.host.memory.capacity": Case(OPTICAL, "8 GB"),
    "optical-4f.host.memory.reserve": Case(OPTICAL, "1 GB"),
    "optical-4f.host.half_saturation": _optical(
        "4",
        f"{AT}.host.memory.bandwidth=100 TB/s",
        "model={name: vit_tiny_patch16_224, depth: 1, image_size: 32}",
    ),
    **published_cases("optical-4f", OPTICAL, "fp32", "fp16"),
    "optical-4f.kind": Case(OPTICAL, "{peak: {fp32: 10 GFLOP/s}}", at=AT),
    "optical-4f.description": Case(OPTICAL, "a bench", outcome="device"),
    "optical-4f.preset": Case(OPTICAL, "dmd-dlp7000", at=f"{AT}.preset", old="ideal"),
    "optical-4f.plane": _optical("256"),
    "optical-4f.frame_rate": _optical("20 kHz"),
    "optical-4f.laser.wavelength": _optical("633 nm"),
    "optical-4f.laser.power": _optical("2 nW"),
    "optical-4f.laser.wall_plug_efficiency": _optical("20 %"),
    **_modulator("input"),
    **_lens("lens_1"),
    **_modulator("filter"),
    "optical-4f.filter.crosstalk": _optical("0.3", f"{AT}.filter.kind=lcos-phase"),
    **_lens("lens_2"),
    "optical-4f.camera.pixels": _optical("256"),
    "optical-4f.camera.pitch": _optical("4 um"),
    "optical-4f.camera.bits": _optical("12", *LINKED),
    "optical-4f.camera.power": _optical("11 W"),
    "optical-4f.camera.frame_time": _optical("1 ms"),
    "optical-4f.camera.frame_rate": _optical("1 kHz", f"{AT}.camera.frame_time="),
    "optical-4f.camera.quantum_efficiency": _optical("50 %"),
    "optical-4f.camera.dark": _optical("1000", *BRIGHT),
    "optical-4f.camera.read_noise": _optical("10"),
    "optical-4f.camera.full_well": _optical("20000", *BRIGHT),
    "optical-4f.camera.exposure": _optical("1 ms"),
    "optical-4f.camera.readout": _optical("1 ms"),
    "optical-4f.camera.overlapped_readout": _optical("false", f"{AT}.camera.readout=1 ms"),
    "optical-4f.camera.adc_energy": _optical("1 nJ"),
    "optical-4f.link": _optical("10 MB/s"),
    "optical-4f.scaling": _optical("moderate", f"{AT}.scaling=conservative"),
    "optical-4f.node": _optical("65 nm", f"{AT}.scaling=conservative"),
    "optical-4f.light": _optical("10 %"),
    "optical-4f.signs.scheme": _optical("reference", f"{AT}.signs={{scheme: two-shot}}"),
    "optical-4f.signs.frames": _optical("3", f"{AT}.signs={{scheme: reference}}"),
    "optical-4f.signs.split_inputs": _optical("true", f"{AT}.signs={{scheme: reference}}"),
    "optical-4f.planes": _optical("2"),
    "optical-4f.along": _optical("[images]"),
    "optical-4f.whole_frames": _optical("false", *LINKED),
    "optical-4f.stored_kernels": _optical("true", *LINKED),
    "optical-4f.static_filter": _optical(
        "true", f"{AT}.signs=reference", f"{AT}.host={{peak: {{fp32: 1 GFLOP/s}}}}"
    ),
    "optical-4f.optical": _optical("[conv]"),
    "optical-4f.linear": _optical(
        "pointwise", "model={name: vit_tiny_patch16_224, depth: 1, image_size: 32}"
    ),
    "optical-4f.overflow": Case(
        OPTICAL, "host", given=(f"{AT}.optical=[conv]", f"{AT}.plane=33"), refused="old"
    ),
    "optical-4f.source": Case(OPTICAL, "{link: a paper}", given=LINKED, outcome="page"),
}
