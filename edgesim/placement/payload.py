"""Encoded images in place of raw tensors: what travels, and what it costs to decode."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgesim.common.errors import InputError
from edgesim.common.quantities import PositiveBytes
from edgesim.common.validation import spec
from edgesim.hardware import Cost, Device
from edgesim.hardware.decoding import Encoding

CHANNELS = {1: "L", 3: "RGB"}
"""Channels of images that can be encoded, and Pillow's mode of each."""


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The image that travels in place of the raw tensor, which the nodes decode.

    Attributes:
        bytes: mean size of an encoded image, in bytes.
        encoding: form of the image.
    """

    bytes: PositiveBytes
    encoding: Encoding = "jpeg"


@dataclass(frozen=True, slots=True)
class Decoding:
    """What a node decodes of each sample before it runs a task on it.

    Attributes:
        encoding: form of the image.
        pixels: height times width of the image.
    """

    encoding: Encoding
    pixels: int

    def is_known(self, device: Device) -> bool:
        """Return whether a device has a rate of this encoding."""
        return device.decoder.decode.rate_px_s(self.encoding) is not None

    def cost(self, device: Device, images: int) -> Cost:
        """Return the cost of decoding images one after the other, on one core.

        The host of an accelerator decodes; all else of it draws its idle power meanwhile.

        Raises:
            InputError: the device has no rate of this encoding.
        """
        decoder = device.decoder
        rate_px_s = decoder.decode.rate_px_s(self.encoding)
        if rate_px_s is None:
            what = "it" if decoder.kind == "processor" else "it a host with"
            raise InputError(
                f"device '{decoder.name}' has no rate at which it decodes {self.encoding}; give "
                f"{what} one: 'decode: {{{self.encoding}: 30 Mpixel/s}}', measured or estimated"
            )
        time_s = images * self.pixels / rate_px_s
        above_w = (decoder.power.busy_w - decoder.power.idle_w) / decoder.cores
        by_part_j = {part: watts * time_s for part, watts in device.idle_by_part_w.items()}
        if by_part_j:
            by_part_j["host"] = by_part_j.get("host", 0.0) + above_w * time_s
        return Cost(time_s=time_s, power_w=device.power.idle_w + above_w, by_part_j=by_part_j)

    def before(self, cost: Cost, device: Device, images: int) -> Cost:
        """Return the cost of decoding images and then of an execution.

        Raises:
            InputError: as `cost`.
        """
        own = self.cost(device, images)
        time_s = own.time_s + cost.time_s
        joules = own.power_w * own.time_s + cost.power_w * cost.time_s
        parts = dict.fromkeys((*own.by_part_j, *cost.by_part_j)) if cost.by_part_j else {}
        return replace(
            cost,
            time_s=time_s,
            power_w=joules / time_s if time_s > 0.0 else cost.power_w,
            by_part_j={
                part: own.by_part_j.get(part, 0.0) + cost.by_part_j.get(part, 0.0) for part in parts
            },
        )
