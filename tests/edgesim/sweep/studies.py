"""Small studies whose results are known."""

from __future__ import annotations

from typing import Any

from edgesim.sweep.reader import from_mapping
from edgesim.sweep.study import Study

ONE_NODE: dict[str, Any] = {
    "model": {"tasks": {"work": {"flop": "1 GFLOP", "node": "n"}}},
    "nodes": {"n": {"device": {"peak": {"fp32": "1 GFLOP/s"}, "power": {"idle": 2, "busy": 5}}}},
    "traffic": {"arrivals": "closed", "requests": 1},
}
"""One request of F FLOP on a node of P FLOP/s takes F / P seconds."""
FLOP, PEAK = "model.tasks.work.flop", "nodes.n.device.peak.fp32"


def mapping(axes: Any, **more: Any) -> dict[str, Any]:
    """A study of that scenario, as a file would say it."""
    return {"name": "small", "base": ONE_NODE, "axes": axes, "keep": ["latency_s.mean"], **more}


def study(axes: Any, **more: Any) -> Study:
    """The same, read."""
    return from_mapping(mapping(axes, **more))


def grid(flops: int = 4, peaks: int = 3) -> dict[str, Any]:
    """A study of ``flops × peaks`` points, each of another latency."""
    return mapping(
        {
            FLOP: {"from": "1 GFLOP", "to": f"{flops} GFLOP", "steps": flops},
            PEAK: [f"{2**index} GFLOP/s" for index in range(peaks)],
        }
    )
