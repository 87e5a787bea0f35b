"""What of a model's compression the devices of a plan cannot use, and so pay dense time for."""

from __future__ import annotations

from edgesim.common.text import count
from edgesim.graph import Op
from edgesim.hardware.device import ZERO_BLOCKS
from edgesim.placement.plan import Plan
from edgesim.placement.request import PlacementRequest


def dense_notes(plan: Plan, request: PlacementRequest) -> list[str]:
    """Return a sentence for each device and each part of the compression that it cannot use.

    None where each device uses all that was done to its operators.
    """
    precision = request.model.precision
    found: dict[tuple[str, str], dict[str, Op]] = {}
    for branch in plan.branches:
        for task in branch.tasks:
            device = request.cluster.nodes[task.node].device
            for op in task.graph or ():
                for what in device.unused_compression(op, precision):
                    found.setdefault((device.name, what), {})[op.name] = op
    return [_sentence(name, what, list(ops.values())) for (name, what), ops in found.items()]


def _sentence(name: str, what: str, ops: list[Op]) -> str:
    number = "1 operator takes" if len(ops) == 1 else f"{len(ops):,} operators take"
    macs, needed = sum(op.macs for op in ops), sum(op.needed_macs for op in ops)
    more = f", {count(macs)} MAC where {count(needed)} are needed" if what == ZERO_BLOCKS else ""
    return f"'{name}' cannot exploit {what}: {number} dense time{more}"
