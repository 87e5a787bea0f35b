"""The electronics at the link's other end: a processor for `edgesim`, and for the optics."""

from __future__ import annotations

from dataclasses import replace

from edgesim.graph import OpKind
from edgesim.hardware.device import Power
from edgesim.hardware.processor import Processor
from optics.system import FourF, Host

_BYTES_AN_OPERATION = 4.0
"""That an operation on patterns and frames moves: of three for each detected value, one reading and
one sum of four bytes each come in, and the sum goes back."""

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""Of a host of which only one rate is said."""


def own_host(system: FourF) -> Processor:
    """Return what a system says of its own host as a processor."""
    own = system.host
    keys = {"flop_s": ("peak.fp32",), "power_w": ("power.idle", "power.busy")}
    return Processor(
        name=own.name,
        peak_flop_s=dict.fromkeys(_PRECISIONS, own.flop_s),
        power=Power(idle_w=own.power_w, busy_w=own.power_w),
        source={
            key: text for field, text in own.source.items() for key in keys.get(field, (field,))
        },
    )


def with_host(system: FourF, host: Processor, precision: str) -> FourF:
    """Return a system whose host makes patterns and numbers at a processor's rate.

    Such operations move ``4 B`` each, at the processor's share of its bandwidth for pointwise
    arithmetic, and are no faster than its peak. Power is idle power: what work adds is counted
    where the work is known.
    """
    share = host.efficiency.get(precision, {}).get(OpKind.ELEMENTWISE, 1.0)
    rate = host.memory.bandwidth_byte_s * share / _BYTES_AN_OPERATION
    flop_s = min(host.peak_flop_s[precision], rate)
    return replace(
        system,
        host=Host(
            flop_s=flop_s,
            power_w=host.power.idle_w,
            name=host.name,
            source=host.source,
        ),
    )
