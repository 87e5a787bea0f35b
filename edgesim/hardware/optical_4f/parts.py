"""The parts of a 4f system from a YAML mapping: a preset, its overrides, and what scales it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from edgesim.common.errors import InputError
from edgesim.hardware.optical_4f.spec import Optical4FSpec
from optics.camera import Camera
from optics.errors import InputError as OpticsInputError
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.presets import preset
from optics.system import FourF
from optics.tiling import ConvShape, Layout
from optics.timing import time_layer

PARTS: Mapping[str, type[Any]] = {
    "laser": Laser,
    "input": Modulator,
    "lens_1": Lens,
    "filter": Modulator,
    "lens_2": Lens,
    "camera": Camera,
}
"""Parts by their key, in the order in which light passes them."""

_NEEDED = {
    "laser": ("wavelength", "power"),
    "input": ("kind", "pixels", "pitch"),
    "lens_1": ("focal_length",),
    "filter": ("kind", "pixels", "pitch"),
    "lens_2": ("focal_length",),
    "camera": ("pixels", "pitch", "exposure"),
}
_UNITS = ("_e_s", "_m", "_s", "_w", "_j", "_e", "_rad", "_px", "_dn", "_waves")
Framed = TypeVar("Framed", Modulator, Camera)
"""Parts that go from frame to frame."""


def key_of(field: str) -> str:
    """Return the YAML key of a field of `optics`: its name without the unit."""
    unit = next((unit for unit in _UNITS if field.endswith(unit)), "")
    return field.removesuffix(unit)


def system_of(name: str, spec: Optical4FSpec) -> FourF:
    """Return the system that a mapping describes.

    ``plane`` and ``frame_rate`` scale what the rest describes, see :func:`on_plane` and
    :func:`at_rate`.

    Raises:
        InputError: a part lacks a figure that no preset gives, or a figure is out of its range.
    """
    base = _base(spec.preset)
    made = {
        key: told(name, key, partial(_part, key, getattr(spec, key), getattr(base, key, None)))
        for key in PARTS
    }
    system = replace(base, **made) if base else FourF(**made)
    if spec.link is not None:
        system = replace(system, link_bytes_s=spec.link)
    system = replace(system, name=name)
    if spec.plane is not None:
        system = on_plane(system, spec.plane)
    if spec.frame_rate is not None:
        system = at_rate(system, spec.frame_rate)
    return system


Made = TypeVar("Made")


def told(name: str, key: str, make: Callable[[], Made]) -> Made:
    """Return what ``make`` returns; what `optics` refuses is told with the device and the key.

    Raises:
        InputError: `optics` refused.
    """
    try:
        return make()
    except OpticsInputError as error:
        raise InputError(f"device '{name}': {key}: {error}") from None


def _base(name: str | None) -> FourF | None:
    if name is None:
        return None
    return FourF.ideal() if name == "ideal" else preset(name)


def _part(key: str, spec: BaseModel, base: Any) -> Any:
    kind = PARTS[key]
    given = {one: value for one, value in spec.model_dump().items() if value is not None}
    rate = given.pop("frame_rate", None)
    if rate is not None:
        given["frame_time"] = 1.0 / rate
    if base is None:
        lacking = [one for one in _NEEDED[key] if one not in given]
        if lacking:
            raise OpticsInputError(
                f"expected {', '.join(lacking)}; name a preset, or give every part"
            )
    names = {key_of(field.name): field.name for field in fields(kind)}
    values = {names[one]: value for one, value in given.items()}
    if base is None:
        return kind(name=key, **values)
    # A source tells of the preset's figure; another figure has another source, or none.
    kept = {field: text for field, text in base.source.items() if field not in values}
    return replace(base, **values, source=kept)


def on_plane(system: FourF, plane: tuple[int, int]) -> FourF:
    """Return a system scaled to a plane of (rows, columns) pixels, all of them usable.

    Both modulators get these pixels (the filter those of the larger side) at their pitch, lens 1
    the focal length of critical sampling, f = N p_input p_filter / λ, and lens 2 one that keeps
    the magnification; pupils keep their f-number, and the camera gets as many pixels as cover the
    image. Powers and times stay as they are.
    """
    side = max(plane)
    focal_length_m = side * system.input.pitch_m * system.filter.pitch_m / system.laser.wavelength_m
    factor = focal_length_m / system.lens_1.focal_length_m

    def scaled(lens: Lens) -> Lens:
        return replace(
            lens,
            focal_length_m=lens.focal_length_m * factor,
            pupil_m=lens.pupil_m * factor,
            source=_without(lens.source, "focal_length_m", "pupil_m"),
        )

    image_px = system.input.pitch_m * abs(system.magnification) / system.camera.pitch_m
    rows, columns = (math.ceil(pixels * image_px * (1 - 1e-9)) for pixels in plane)
    return replace(
        system,
        input=_with_pixels(system.input, plane),
        lens_1=scaled(system.lens_1),
        filter=_with_pixels(system.filter, (side, side)),
        lens_2=scaled(system.lens_2),
        camera=_with_pixels(system.camera, (rows, columns)),
    )


def _with_pixels(part: Framed, pixels: tuple[int, int]) -> Framed:
    return replace(part, pixels=pixels, source=_without(part.source, "pixels"))


def at_rate(system: FourF, frame_rate_hz: float) -> FourF:
    """Return a system that exposes a new pair of patterns ``frame_rate_hz`` times a second.

    All times of the modulators and of the camera get one factor, the exposure too, so that what
    overlaps stays the same; there is as much less light in a frame. The link keeps its rate.
    """
    factor = 1.0 / (frame_rate_hz * cycle_s(system))

    def scaled(part: Framed, *names: str) -> Framed:
        values = {name: getattr(part, name) * factor for name in names}
        return replace(part, **values, source=_without(part.source, *names))

    written = ("frame_time_s", "load_s", "settle_s")
    return replace(
        system,
        input=scaled(system.input, *written),
        filter=scaled(system.filter, *written),
        camera=scaled(system.camera, "frame_time_s", "exposure_s", "readout_s"),
    )


def cycle_s(system: FourF) -> float:
    """Return the time from exposure to exposure where both modulators change each time."""
    one = ConvShape(batch=1, in_channels=1, out_channels=1, size=(1, 1), kernel=(1, 1))
    return time_layer(system, Layout(shape=one, plane=(1, 1))).optics_s


def _without(source: Mapping[str, str], *names: str) -> dict[str, str]:
    return {field: text for field, text in source.items() if field not in names}
