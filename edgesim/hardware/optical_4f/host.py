"""The electronics at the link's other end: a processor for `edgesim`, and for the optics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgesim.graph import OpKind
from edgesim.hardware.device import Power
from edgesim.hardware.host import host_of
from edgesim.hardware.processor import Processor
from edgesim.hardware.processor_spec import ProcessorSpec
from optics.system import FourF, Host

_BYTES_AN_OPERATION = 4.0
"""That an operation on patterns and frames moves: of three for each detected value, one reading and
one sum of four bytes each come in, and the sum goes back."""

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""Of a host of which only one rate is said."""


def processor_of(name: str, what: str | ProcessorSpec | None, system: FourF) -> Processor:
    """Return the host: of the catalog, inline, or what the system says of its own.

    Raises:
        InputError: there is no such device, or it is no processor.
    """
    if what is None:
        own = system.host
        return Processor(
            name=own.name,
            peak_flop_s=dict.fromkeys(_PRECISIONS, own.flop_s),
            power=Power(idle_w=own.power_w, busy_w=own.power_w),
            source=_renamed(own.source),
        )
    return host_of(name, what)


def with_host(system: FourF, host: Processor, precision: str) -> FourF:
    """Return a system whose host makes patterns and numbers at a processor's rate.

    Such operations move ``4 B`` each, at the processor's share of its bandwidth for pointwise
    arithmetic, and are no faster than its peak. Power is idle power: what work adds is counted
    where the work is known.
    """
    share = host.efficiency.get(precision, {}).get(OpKind.ELEMENTWISE, 1.0)
    rate = host.memory_bandwidth_byte_s * share / _BYTES_AN_OPERATION
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


def _renamed(source: Mapping[str, str]) -> dict[str, str]:
    keys = {"flop_s": ("peak.fp32",), "power_w": ("power.idle", "power.busy")}
    return {key: text for field, text in source.items() for key in keys.get(field, (field,))}
