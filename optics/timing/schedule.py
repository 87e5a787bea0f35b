"""Time of light, modulators, camera, link and host: what overlaps, and the bottleneck.

Overlaps, for every exposure:

- A modulator's light may be used from ``settle_s`` after its update. One with two buffers takes the
  next pattern while this one is shown, the other kind loads first, in the dark.
- Both modulators change, load and settle at the same time.
- The camera exposes once all that changed has settled. With overlapped readout a frame leaves
  while the next is exposed, else readout comes between exposures.
- Every pattern stays at least its modulator's ``frame_time_s``, and frames of the camera are at
  least its ``frame_time_s`` apart.

Link out, optics, link in and host work at the same time on successive exposures, the link in both
directions at once. A pipeline of N equal exposures then takes, from first pattern to last result,

    T = max(stages) + Σ (other stages) / N + first load + last readout.

A layer waits for the one before it, since it needs its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from optics.camera import Camera
from optics.modulator import Modulator
from optics.system import FourF
from optics.tiling.layout import Layout
from optics.timing.link import Order, Traffic, traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a layer takes on a 4f system, for its whole batch.

    Attributes:
        layout: layout that was timed.
        order: order of the layer's exposures.
        traffic: bytes on the link and operations of the host.
        optics_s: time from the first settling to the end of the last exposure or, where readout
            does not overlap, of the last readout.
        link_out_s: patterns on the link.
        link_in_s: frames on the link.
        host_s: operations of the host.
        ends_s: first load and last readout, where these overlap with exposures otherwise.
        limits_s: the time that each would take alone, by name: ``light`` (settling and exposure),
            ``input``, ``filter``, ``camera``, ``link out``, ``link in``, ``host``.
    """

    layout: Layout
    order: Order
    traffic: Traffic
    optics_s: float
    link_out_s: float
    link_in_s: float
    host_s: float
    ends_s: float
    limits_s: Mapping[str, float]

    @property
    def exposures(self) -> int:
        """Frames of the camera for the whole batch, sign passes included."""
        return self.order.exposures

    @property
    def frame_s(self) -> float:
        """Average time from exposure to exposure, by the optics alone."""
        return self.optics_s / self.exposures

    @property
    def total_s(self) -> float:
        """From the first pattern on the link to the last result, with all overlaps."""
        stages = (self.optics_s, self.link_out_s, self.link_in_s, self.host_s)
        longest = max(stages)
        return longest + (sum(stages) - longest) / self.exposures + self.ends_s

    @property
    def serial_s(self) -> float:
        """The same if link, optics and host waited for one another."""
        return self.optics_s + self.link_out_s + self.link_in_s + self.host_s + self.ends_s

    @property
    def per_image_s(self) -> float:
        """``total_s`` over the batch."""
        return self.total_s / self.layout.shape.batch

    @property
    def bottleneck(self) -> str:
        """The name in ``limits_s`` of what would take longest alone; the first of equals."""
        return max(self.limits_s, key=self.limits_s.__getitem__)


def time_layer(
    system: FourF,
    layout: Layout,
    *,
    filter_passes: int | None = None,
    input_passes: int = 1,
    whole_frames: bool = True,
    stored_kernels: bool = False,
) -> Timing:
    """Return how long a layer takes; see the module's docstring for what overlaps.

    Args:
        system: the parts.
        layout: layout of the layer, by :func:`optics.tiling.plan` on the system's plane. Binary
            planes of an input of several bits are exposures like sign passes: put them into its
            ``passes``.
        filter_passes: patterns of the sign scheme on the filter, see :meth:`Order.of`.
        input_passes: patterns of the sign scheme on the input.
        whole_frames: whether all pixels cross the link, see :func:`optics.timing.traffic`.
        stored_kernels: whether filters do not, see there.

    Raises:
        InputError: passes that do not divide those of the layout.
    """
    order = Order.of(layout, filter_passes=filter_passes, input_passes=input_passes)
    moved = traffic(system, layout, order, whole_frames=whole_frames, stored_kernels=stored_kernels)
    parts = {"input": system.input, "filter": system.filter}
    camera, exposure_s = system.camera, system.camera.exposure_s
    fast = parts[order.fast]
    slow = parts["filter" if order.fast == "input" else "input"]

    still = max(exposure_s, _camera_period(camera))
    after_fast = max(dark_s(fast) + exposure_s, _camera_period(camera))
    after_both = max(dark_s(fast) + exposure_s, dark_s(slow) + exposure_s, _camera_period(camera))
    hold = max(after_fast + (order.repeats - 1) * still, shortest_hold_s(fast))
    first_hold = max(after_both + (order.repeats - 1) * still, shortest_hold_s(fast))
    slow_hold = max(first_hold + (order.fast_patterns - 1) * hold, shortest_hold_s(slow))

    settling = max(dark_s(fast), dark_s(slow)) + (order.fast_patterns - 1) * dark_s(fast)
    link_out_s, link_in_s = (n / system.link_bytes_s for n in (moved.out_bytes, moved.in_bytes))
    host_s = moved.host_flop / system.host.flop_s
    loads = [part.load_s for part in parts.values() if part.double_buffered]
    return Timing(
        layout=layout,
        order=order,
        traffic=moved,
        optics_s=order.slow_patterns * slow_hold,
        link_out_s=link_out_s,
        link_in_s=link_in_s,
        host_s=host_s,
        ends_s=max(loads, default=0.0) + (camera.readout_s if camera.overlapped_readout else 0.0),
        limits_s=MappingProxyType(
            {
                "camera": order.exposures * _camera_period(camera),
                "light": order.slow_patterns * settling + order.exposures * exposure_s,
                "input": order.input_loads * shortest_hold_s(system.input),
                "filter": order.filter_loads * shortest_hold_s(system.filter),
                "link out": link_out_s,
                "link in": link_in_s,
                "host": host_s,
            }
        ),
    )


def dark_s(part: Modulator) -> float:
    """Return the time from an update's begin until its light may be used."""
    return part.settle_s + (0.0 if part.double_buffered else part.load_s)


def shortest_hold_s(part: Modulator) -> float:
    """Return the least time between two updates, whatever the camera does."""
    if part.double_buffered:
        return max(part.frame_time_s, part.load_s, part.settle_s)
    return max(part.frame_time_s, part.load_s + part.settle_s)


def _camera_period(camera: Camera) -> float:
    """Return the least time from exposure to exposure, whatever the modulators do."""
    if camera.overlapped_readout:
        return max(camera.frame_time_s, camera.exposure_s, camera.readout_s)
    return max(camera.frame_time_s, camera.exposure_s + camera.readout_s)
