"""A case for every key of the processor beside an accelerator."""

from __future__ import annotations

from tests.edgesim.every_key.cases import Case
from tests.edgesim.every_key.processor_cases import SERVED

AT = "nodes.n.device.host"
_FAST = (f"{AT}.memory.bandwidth=100 TB/s",)
_MESSAGING = (f"{AT}.messaging={{per_message: 1 ms, cooling: {{share: 1, time: 1 s}}}}",)
_SENDS = {
    "power.sending": "12 W",
    "power.receiving": "12 W",
    "messaging.per_message": "1 ms",
    "messaging.per_byte": "1 ns/B",
    "messaging.delay": "1 ms",
}
_ASKS = {
    "messaging.asking.per_request": "1 ms",
    "messaging.asking.per_message": "1 ms",
    "messaging.asking.per_byte": "1 ns/B",
    "messaging.cooling.share": "2",
    "messaging.cooling.time": "2 s",
}
_THERMAL = "{resistance: 1 K/W, time_constant: 1 s, limit: 60 °C, release: 50 °C, speed: 50 %}"
_MEASURED = (
    f"[{{model: it, operators: '{'0' * 64}', precision: fp32, batch: 1, time: 1 s, runs: 1}}]"
)
_ROW = "{model: it, precision: fp32, source: a paper, "
_PUBLISHED = f"[{_ROW}latency: 1 s, batch: 1, image_size: 1, classes: 1, energy: 1 J}}]"
_ALONE = {
    "spread": "[0.9, 1.1]",
    "runtime": "ncnn",
    **dict.fromkeys(
        ("runtimes.*.factors", "runtimes.*.fused"),
        "{ncnn: {factors: {fp32: {time: 2}}, fused: [softmax]}}",
    ),
    **dict.fromkeys(("cooling.share", "cooling.time"), "{share: 1, time: 1 s}"),
    **{
        f"thermal.{key}": _THERMAL
        for key in ("resistance", "time_constant", "limit", "release", "speed")
    },
    **{
        f"measured[].{key}": _MEASURED
        for key in ("model", "operators", "precision", "batch", "time", "runs")
    },
    **{
        f"published[].{key}": _PUBLISHED
        for key in (
            "model", "precision", "batch", "image_size", "classes", "latency", "energy",
            "samples_per_s", "clock_ratio", "runtime", "source", "fit", "note",
        )
    },
}  # fmt: skip
"""Keys of a processor that computes by itself; a host that has them is refused."""


def host_cases(kind: str, base: str, fused: str, served: str | None) -> dict[str, Case]:
    """Return the cases of the host of an accelerator.

    Args:
        kind: of the accelerator.
        base: a scenario whose accelerator has a host, which gets messages.
        fused: kinds of operators that the host can fuse.
        served: a scenario for real nodes, whose coordinator has such an accelerator; None where
            the accelerator has power states and messaging of its own, and its host none.
    """

    def refused(key: str, new: str) -> Case:
        section = key.partition(".")[0].removesuffix("[]")
        at = f"{AT}.{key if new[0] not in '{[' else section}"
        return Case(base, new, at=at, refused="new")

    cases: dict[str, Case] = {
        "kind": refused("kind", kind),
        "description": Case(base, "a box", outcome="page"),
        "peak": Case(base, "{fp16: 200 GFLOP/s, fp32: 200 GFLOP/s, int8: 1 TFLOP/s}", given=_FAST),
        "efficiency": Case(base, "{norm: 50 %, elementwise: 50 %, activation: 50 %}"),
        "launch_overhead": Case(base, "10 us"),
        "memory.bandwidth": Case(base, "10 GB/s"),
        "fused": Case(base, fused),
        "decode.jpeg": Case(
            base,
            "20 Mpixel/s",
            given=(
                "placement.input=n",
                "traffic.payload={bytes: 1 kB}",
                f"{AT}.decode={{jpeg: 10 Mpixel/s}}",
            ),
        ),
        "power.idle": Case(base, "11 W"),
        "power.busy": Case(base, "60 W"),
        "source": Case(base, "{peak: a data sheet}", outcome="page"),
        **{key: refused(key, new) for key, new in _ALONE.items()},
    }
    if served is None:
        cases |= {key: refused(key, new) for key, new in {**_SENDS, **_ASKS}.items()}
    else:
        cases |= {key: Case(base, new) for key, new in _SENDS.items()}
        cases |= {
            key: Case(served, new, given=_MESSAGING if "cooling" in key else (), outcome="served")
            for key, new in _ASKS.items()
        }
    return {f"{kind}.host.{key}": one for key, one in cases.items()}


def served_by(device: str) -> str:
    """Return the scenario for real nodes with this device at the coordinator."""
    return SERVED.replace("{peak: {fp32: 10 GFLOP/s}}", device)
