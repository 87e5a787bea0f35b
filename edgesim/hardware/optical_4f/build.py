"""From a YAML mapping to the accelerator that it describes."""

from __future__ import annotations

from collections.abc import Mapping

from edgesim.common.errors import InputError
from edgesim.hardware.optical_4f.device import Optical4F
from edgesim.hardware.optical_4f.host import processor_of
from edgesim.hardware.optical_4f.parts import PARTS, key_of, system_of
from edgesim.hardware.optical_4f.spec import Optical4FSpec, SignsSpec
from optics.signs import FOUR_SHOT, TWO_SHOT, WHOLE, Pass, reference_passes
from optics.system import FourF
from optics.tiling import side_by_side
from optics.timing import LightBudget

_HEADROOM = 0.8
"""Of the camera's limit, what the brightest pixel takes where nothing is said; as
`optics.layers.calibrate` exposes."""


def build(name: str, spec: Optical4FSpec) -> Optical4F:
    """Return the accelerator.

    Raises:
        InputError: parts that make no system, more light than the camera takes, or a host that is
            no processor.
    """
    system = system_of(name, spec)
    host = processor_of(name, spec.host, system)
    return Optical4F(
        name=name,
        system=system,
        host=host,
        passes=passes_of(spec.signs),
        planes=spec.planes,
        along=tuple(spec.along) if spec.along else side_by_side(system),
        whole_frames=spec.whole_frames,
        stored_kernels=spec.stored_kernels,
        kinds=spec.kinds,
        linear=spec.linear,
        overflow=spec.overflow,
        light=light_of(name, system, spec.light),
        source=sources_of(system, host.source, spec.source),
    )


def passes_of(signs: SignsSpec) -> tuple[Pass, ...]:
    """Return the exposures of a sign scheme."""
    if signs.scheme == "reference":
        return reference_passes(signs.frames, split_inputs=signs.split_inputs)
    return {"field": WHOLE, "two-shot": TWO_SHOT, "four-shot": FOUR_SHOT}[signs.scheme]


def light_of(name: str, system: FourF, light: float | None) -> float:
    """Return the share of a clear filter's light that reaches the brightest pixel.

    Unless told, as much as fills 80 % of what the camera takes, by an attenuator.

    Raises:
        InputError: the told share is more light than the camera takes in one exposure.
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
