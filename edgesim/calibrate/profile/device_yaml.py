"""A profile as a device's YAML file, every figure with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from edgesim.calibrate.profile.operators import FUSED
from edgesim.calibrate.profile.profile import Profile
from edgesim.calibrate.profile.served import Timed
from edgesim.common.files import write_text
from edgesim.common.text import digits, percent
from edgesim.hardware import Cooling

RUNTIME = "pytorch-eager"
"""Runtime that operators and models are timed with."""


def mapping(profile: Profile) -> dict[str, Any]:
    """Return the device as plain data of its file."""
    where, options, fit = profile.machine, profile.options, profile.messages
    costs, asking = fit.messaging, fit.messaging.asking
    precision, roofline = options.precision, profile.roofline.device
    shares = roofline.efficiency[precision]
    found: dict[str, Any] = {
        "kind": "processor",
        "description": f"{where.processor}, {options.threads} thread(s) of {where.cores}, measured",
        "peak": {precision: f"{digits(profile.limits.peak_flop_s / 1e9, 4)} GFLOP/s"},
        "cores": options.threads if options.device == "cpu" else 1,
        "fused": [kind.value for kind in FUSED],
        "runtime": RUNTIME,
        "memory": {
            "capacity": f"{digits(where.memory_bytes / 2**30, 4)} GiB",
            "bandwidth": f"{roofline.memory.bandwidth_byte_s / 1e9:.4g} GB/s",
        },
        "efficiency": {precision: {str(k): _short(v) for k, v in shares.items()}},
        "launch_overhead": _time(roofline.launch_overhead_s),
        "half_saturation": _short(roofline.half_saturation),
    }
    if profile.watts is not None:
        found["power"] = {
            "idle": f"{profile.watts.idle_w:.4g} W",
            "busy": f"{profile.watts.busy_w:.4g} W",
        }
    found["messaging"] = {
        "per_message": _time(costs.per_message_s),
        "per_byte": _per_byte(costs.per_byte_s),
        "delay": _time(costs.delay_s),
        "asking": {
            "per_request": _time(asking.per_request_s),
            "per_message": _time(asking.per_message_s),
            "per_byte": _per_byte(asking.per_byte_s),
        },
        "cooling": _cooling(costs.cooling),
    }
    if profile.timed:
        found["measured"] = [
            {
                "model": one.model,
                "operators": one.operators,
                "precision": "fp32",
                "batch": one.batch,
                "time": _time(hot_s),
                "runs": len(one.times_s),
            }
            for one, hot_s in _distinct(profile)
        ]
        found["cooling"] = _cooling(profile.cooled.cooling)
    if profile.spread:
        found["spread"] = list(profile.spread)
    found["source"] = sources(profile)
    return found


def _distinct(profile: Profile) -> list[tuple[Timed, float]]:
    """Return the timed models; of those with the same operators and batch, the first."""
    distinct: dict[tuple[str, int], tuple[Timed, float]] = {}
    for one, hot_s in zip(profile.timed, profile.cooled.hot_s, strict=True):
        distinct.setdefault((one.operators, one.batch), (one, hot_s))
    return list(distinct.values())


def sources(profile: Profile) -> dict[str, str]:
    """Return where each figure comes from."""
    where, options, fit = profile.machine.source, profile.options, profile.messages
    many = len(profile.operators)
    held = abs(profile.roofline.held_out)
    fitted = (
        f"fitted to {many} operators (medians of {profile.rounds} rounds, "
        f"{options.threads} thread(s)); held-out operators within a median of "
        f"{percent(float(sorted(held)[len(held) // 2]))}; {where}"
    )
    found = {
        "peak": f"{profile.limits.peak_source}, {options.threads} thread(s); {where}",
        "cores": f"threads of a node; this process may use {profile.machine.cores}",
        "fused": "torch computes scaled_dot_product_attention as one kernel",
        "runtime": "torch, operator by operator, as a node runs its models",
        "memory.capacity": f"of the machine, {where}",
        "memory.bandwidth": f"{fitted}; caches included, main memory has "
        f"{profile.limits.bandwidth_byte_s / 1e9:.4g} GB/s ({profile.limits.bandwidth_source})",
        "efficiency": fitted,
        "launch_overhead": fitted,
        "half_saturation": fitted,
        "messaging": f"least squares over {len(fit.rows)} shapes of request, {profile.requests} "
        f"requests each, {'without TLS' if options.plain else 'mutual TLS'}, loopback; R² "
        f"{fit.node_r2:.3f} of the node's processor time, {fit.coordinator_r2:.3f} of the "
        f"coordinator's; {where}",
    }
    if profile.watts is not None:
        found["power"] = f"{profile.watts.source}; {where}"
    if profile.timed:
        runs = sum(len(one.times_s) for one in profile.timed)
        found["measured"] = (
            f"means of executions of a node that was asked over gRPC, {options.threads} "
            f"thread(s), after rests of 1 ms to 100 ms whose share is taken off; {where}"
        )
        found["spread"] = f"{runs} executions over their model's mean, rests taken off; {where}"
        found["cooling"] = f"fitted to {runs} executions after rests of 1 ms to 100 ms; {where}"
    return found


def _cooling(cooling: Cooling) -> dict[str, Any]:
    return {"share": _short(cooling.share), "time": _time(cooling.time_s)}


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _time(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= factor:
            return f"{seconds / factor:.4g} {unit}"
    return f"{seconds / 1e-9:.4g} ns"


def _per_byte(seconds: float) -> str:
    return f"{seconds / 1e-9:.4g} ns/B"


def write(profile: Profile, path: Path) -> None:
    """Write a device's file, whole or not at all, once it is known to be read again.

    Raises:
        EdgesimError: it cannot be written.
    """
    from edgesim.hardware import catalog

    document = mapping(profile)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    # What a scenario will make of it.
    catalog.from_mapping(path.stem, yaml.safe_load(text))
    write_text(path, text)
