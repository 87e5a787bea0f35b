"""The parts of a 4f system: a preset, figures instead of its own, and what scales it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from edgesim.common.errors import InputError
from edgesim.common.text import digits
from edgesim.common.validation import key_of
from edgesim.graph import OpKind
from edgesim.hardware.device import Power
from edgesim.hardware.optical_4f.sections import Given, is_file
from edgesim.hardware.processor import Processor
from optics.camera import Camera
from optics.errors import InputError as OpticsInputError
from optics.lens import Lens
from optics.modulator import Modulator
from optics.presets import PARTS, preset, read_system
from optics.system import FourF, Host
from optics.tiling import ConvShape, Layout
from optics.timing import SCALINGS, LightBudget, Scaling, dark_s, shortest_hold_s, time_layer

_NEEDED = {
    "laser": ("wavelength_m", "power_w"),
    "input": ("kind", "pixels", "pitch_m"),
    "lens_1": ("focal_length_m",),
    "filter": ("kind", "pixels", "pitch_m"),
    "lens_2": ("focal_length_m",),
    "camera": ("pixels", "pitch_m", "exposure_s"),
}
_HEADROOM = 0.8
"""Share of the camera's limit that the brightest pixel takes unless given; as
`optics.layers.calibrate` exposes."""
Framed = TypeVar("Framed", Modulator, Camera)
"""Parts that go from frame to frame."""


def system_of(
    name: str,
    base: str | None,
    given: Mapping[str, Given],
    *,
    link_byte_s: float | None,
    plane: tuple[int, int] | None,
    frame_rate_hz: float | None,
    scaling: Scaling | None = None,
    node_m: float | None = None,
    static_filter: bool = False,
) -> FourF:
    """Return the system of a preset with other figures, scaled to a plane and to a rate.

    Args:
        name: name of the device.
        base: name of the preset, or of its file; None where every part is given.
        given: figures of each part in `PARTS`.
        link_byte_s: rate of the link.
        plane: pixels, see :func:`on_plane`.
        frame_rate_hz: see :func:`at_rate`.
        scaling: see :func:`with_converters`.
        node_m: likewise.
        static_filter: whether the filter is made once, and takes neither time nor power.

    Raises:
        InputError: a part lacks a figure that no preset gives, or a figure is out of its range.
    """
    start = system_called(base)
    made, wrong = {}, []
    for key, figures in given.items():
        try:
            made[key] = part_of(key, figures, base)
        except OpticsInputError as error:
            lines = (line.removeprefix(f"{key}: ") for line in str(error).splitlines())
            wrong += [f"device '{name}': {key}: {line}" for line in lines]
    if wrong:
        raise InputError("\n".join(wrong))
    system = replace(start, **made) if start else FourF(**made)
    if link_byte_s is not None:
        system = replace(system, link_bytes_s=link_byte_s)
    system = replace(system, name=name)
    if plane is not None:
        system = on_plane(system, plane)
    if scaling is None and node_m is not None:
        raise InputError(f"device '{name}': node: expected scaling beside it, such as moderate")
    try:
        if frame_rate_hz is not None:
            system = at_rate(system, frame_rate_hz, given["camera"].get("exposure_s"))
        if static_filter:
            system = replace(system, filter=_made_once(system.filter))
        return system if scaling is None else with_converters(system, scaling, node_m)
    except OpticsInputError as error:
        raise InputError(f"device '{name}': {error}") from None


def system_called(name: str | None) -> FourF | None:
    """Return the system of a preset: of `optics.presets`, ``ideal``, or that of a file.

    Raises:
        optics.errors.InputError: there is no such system, or the file is wrong.
    """
    if name is None:
        return None
    if is_file(name):
        return _read(name, Path(name).stat().st_mtime_ns if Path(name).exists() else 0)
    return FourF.ideal() if name == "ideal" else preset(name)


@lru_cache(maxsize=64)
def _read(name: str, _changed_ns: int) -> FourF:
    """Return the system of a file, read again where the file has changed."""
    return read_system(name)


def part_of(key: str, given: Given, preset_name: str | None) -> Any:
    """Return a part with the figures that are given, and others of a preset's part.

    Args:
        key: key of the part, one of `PARTS`.
        given: figures by the names of the part's fields.
        preset_name: name of the preset with the other figures; None for no preset.

    Raises:
        optics.errors.InputError: figures that no preset gives are missing, or figures are out of
            their ranges; one line for each.
    """
    base = getattr(system_called(preset_name), key, None)
    if base is None:
        lacking = [key_of(one) for one in _NEEDED[key] if one not in given]
        if lacking:
            raise OpticsInputError(
                f"expected {', '.join(lacking)}; name a preset, or give every part"
            )
        return PARTS[key](name=key, **given)
    # The source belongs to the preset's figure; another figure has another source, or none.
    return replace(base, **given, source=_without(base.source, *given))


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


def at_rate(system: FourF, frame_rate_hz: float, exposure_s: float | None = None) -> FourF:
    """Return a system that exposes a new pair of patterns ``frame_rate_hz`` times a second.

    All times of the modulators and of the camera are multiplied by one factor. The exposure is,
    too, so that the light of a frame changes with it, unless ``exposure_s`` is given. The link
    keeps its rate.

    Args:
        system: parts at their own rate.
        frame_rate_hz: exposures per second where both modulators change each time.
        exposure_s: exposure that is kept, in seconds.

    Raises:
        optics.errors.InputError: the exposure leaves no time in a frame for patterns and readout.
    """
    factor = 1.0 / (frame_rate_hz * cycle_s(system))
    if exposure_s is not None:
        factor = _factor_beside(system, 1.0 / frame_rate_hz, exposure_s)

    def scaled(part: Framed, *names: str) -> Framed:
        values = {name: getattr(part, name) * factor for name in names}
        return replace(part, **values, source=_without(part.source, *names))

    of_modulators = ("frame_time_s", "load_s", "settle_s")
    of_camera = ("frame_time_s", "readout_s", *(("exposure_s",) if exposure_s is None else ()))
    return replace(
        system,
        input=scaled(system.input, *of_modulators),
        filter=scaled(system.filter, *of_modulators),
        camera=scaled(system.camera, *of_camera),
    )


def _factor_beside(system: FourF, frame_s: float, exposure_s: float) -> float:
    """Return the factor of all times but the exposure, which make a frame of ``frame_s`` with it.

    Settling, loads in the dark and readout that does not overlap are in a frame beside the
    exposure; all other times only have to fit a frame.
    """
    camera, modulators = system.camera, (system.input, system.filter)
    beside_s = [dark_s(part) for part in modulators]
    within_s = [camera.frame_time_s, *(shortest_hold_s(part) for part in modulators)]
    (within_s if camera.overlapped_readout else beside_s).append(camera.readout_s)
    left_s = frame_s - exposure_s
    # Rounding must not refuse an exposure of a whole frame.
    least_s = (1e-9 if any(beside_s) else -1e-9) * frame_s
    if left_s < least_s:
        raise OpticsInputError(
            f"camera: an exposure of {_microseconds(exposure_s)} does not fit a frame of "
            f"{_microseconds(frame_s)} at frame_rate {digits(1.0 / frame_s)} Hz; shorten "
            "camera.exposure, or lower frame_rate"
        )
    factors = [left_s / max(beside_s)] if any(beside_s) else []
    factors += [frame_s / max(within_s)] if any(within_s) else []
    if not factors:
        raise OpticsInputError(
            "camera: beside camera.exposure, frame_rate needs a time of a modulator or of the "
            "camera that it can scale; set camera.frame_rate instead"
        )
    return min(factors)


def cycle_s(system: FourF) -> float:
    """Return the time from exposure to exposure where both modulators change each time."""
    one = ConvShape(batch=1, in_channels=1, out_channels=1, size=(1, 1), kernel=(1, 1))
    return time_layer(system, Layout(shape=one, plane=(1, 1))).optics_s


def _without(source: Mapping[str, str], *names: str) -> dict[str, str]:
    return {field: text for field, text in source.items() if field not in names}


def light_of(name: str, system: FourF, light: float | None) -> float:
    """Return the share of a clear filter's light that reaches the brightest pixel.

    Unless given, as much as fills 80 % of what the camera takes, by an attenuator.

    Raises:
        InputError: the given share is more light than the camera takes in one exposure.
    """
    camera, budget = system.camera, LightBudget.of(system)
    room_e = camera.saturation_e - camera.dark_e
    if room_e <= 0:
        raise InputError(
            f"device '{name}': camera: an exposure of {_microseconds(camera.exposure_s)} fills a "
            f"well of {camera.full_well_e:,.0f} electrons by dark current alone; expose for a "
            "shorter time"
        )
    if light is None:
        return min(1.0, _HEADROOM * room_e / budget.electrons)
    electrons = budget.electrons * light
    if electrons > room_e:
        photons = electrons / camera.quantum_efficiency
        raise InputError(
            f"device '{name}': camera: an exposure of {_microseconds(camera.exposure_s)} brings "
            f"{photons:,.0f} photons to the brightest pixel, {electrons:,.0f} electrons, but its "
            f"full well of {camera.full_well_e:,.0f} electrons leaves room for {room_e:,.0f}; "
            f"shorten camera.exposure, lower laser.power, or let at most "
            f"{light * room_e / electrons:.3g} of the light pass (light)"
        )
    return light


def _made_once(part: Modulator) -> Modulator:
    """Return a filter that is never written: it takes no time and no power."""
    names = ("frame_time_s", "load_s", "settle_s", "power_w", "dac_energy_j")
    none: dict[str, Any] = dict.fromkeys(names, 0.0)
    return replace(part, **none, source=_without(part.source, *none))


def with_converters(system: FourF, scaling: Scaling, node_m: float | None) -> FourF:
    """Return a system whose converters take the energy of a scaling, where none is given.

    Parts without steps have no converter.

    Args:
        system: the parts.
        scaling: assumption about converters, see :data:`optics.timing.SCALINGS`.
        node_m: technology node; that of the assumption unless given.

    Raises:
        optics.errors.InputError: no supply voltage is known of the node.
    """
    converters = SCALINGS[scaling]
    found: dict[str, Any] = {}
    for key, field, kind in (
        ("input", "dac_energy_j", "dac"),
        ("filter", "dac_energy_j", "dac"),
        ("camera", "adc_energy_j", "adc"),
    ):
        part = getattr(system, key)
        energy_j = converters[kind].energy_j(part.bits or 1, node_m)
        if part.bits is not None and not getattr(part, field):
            at = "" if node_m is None else f" at {node_m * 1e9:g} nm"
            text = f"derived: {part.bits} bits, {scaling}{at}; optics.timing.SCALINGS"
            found[key] = replace(part, **{field: energy_j}, source={**part.source, field: text})
    return replace(system, **found)


def sources_of(system: FourF, host: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return where each figure comes from, by its key path; what was given comes first."""
    found: dict[str, str] = {}
    for key in PARTS:
        part = getattr(system, key)
        found |= {f"{key}.{key_of(field)}": text for field, text in part.source.items()}
    if "link_bytes_s" in system.source:
        found["link"] = system.source["link_bytes_s"]
    return {**found, **{f"host.{key}": text for key, text in host.items()}, **given}


def _microseconds(time_s: float) -> str:
    return f"{time_s * 1e6:,.4g} us"


_BYTES_AN_OPERATION = 4.0
"""That an operation on patterns and frames moves: of three for each detected value, one reading and
one sum of four bytes each come in, and the sum goes back."""

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
"""Precisions of a host with one rate for all."""


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
