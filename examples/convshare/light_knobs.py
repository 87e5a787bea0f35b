"""Knobs: one limit of one part at a time, all other parts ideal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from optics.layers import Bench
from optics.layers.operating import Setup, operating_point
from optics.modulator import Modulator
from optics.presets import preset
from optics.system import Alignment, FourF
from partition.errors import InputError

SIDE = 104
"""Pixels of the ideal planes' sides: eight tiles of 7 x 7 maps and kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One limit.

    Attributes:
        name: name on the command line.
        label: label of the axis.
        values: values from the most to the least limited.
        setup: function of a value and the side of the planes in pixels that returns the bench.
        logarithmic: whether the axis is logarithmic.
        share: share of the images that are evaluated, 0 to 1; slow simulations take fewer.
    """

    name: str
    label: str
    values: tuple[float, ...]
    setup: Callable[[float, int], Setup]
    logarithmic: bool = False
    share: float = 1.0


def _setup(system: FourF, **settings: Any) -> Setup:
    return Setup(bench=Bench(system, noise=False), **settings)


def _ideal(_: float, side: int) -> Setup:
    return _setup(FourF.ideal((side, side)))


def _bits(bits: float, side: int) -> Setup:
    return operating_point((side, side), bits=int(bits))


def _photons(photons: float, side: int) -> Setup:
    return operating_point((side, side), photons=photons)


def _camera(bits: float, side: int) -> Setup:
    return operating_point((side, side), camera_bits=int(bits))


def _pupil(share: float, side: int) -> Setup:
    system = FourF.ideal((side, side))
    lens_1, lens_2 = (
        replace(lens, pupil_m=share * system.spectrum_m) for lens in (system.lens_1, system.lens_2)
    )
    return _setup(replace(system, lens_1=lens_1, lens_2=lens_2))


def _shift(pixels: float, side: int) -> Setup:
    system = FourF.ideal((side, side))
    shift = Alignment(shift_m=(pixels * system.filter.pitch_m, 0.0))
    return _setup(replace(system, alignment=shift), scheme="four-shot")


def _flicker(radians: float, side: int) -> Setup:
    system = FourF.ideal((side, side))

    def flickering(part: Modulator) -> Modulator:
        return replace(part, flicker_rad=radians)

    return _setup(replace(system, input=flickering(system.input), filter=flickering(system.filter)))


def _piece(system: FourF, side: int) -> FourF:
    """Return a system of the same parts that uses this many pixels, at shorter focal lengths.

    Tiles, pixels, noise and light per pixel are those of the whole system; it is faster.
    """
    pitches_m2 = system.input.pitch_m * system.filter.pitch_m
    focal_m = side * pitches_m2 / system.laser.wavelength_m
    ratio = abs(system.magnification)
    return replace(
        system,
        lens_1=replace(system.lens_1, focal_length_m=focal_m),
        lens_2=replace(system.lens_2, focal_length_m=focal_m * ratio),
    )


def _lcos(_: float, side: int) -> Setup:
    encoder = {"method": "gerchberg-saxton", "steps": 10, "carrier": (0.0, 0.0)}
    bench = Bench(_piece(preset("lcos-pluto"), side), along=("images",), encoder=encoder)
    return Setup(bench=bench, scheme="four-shot", trimmed=True, lit=8)


def _mirrors(_: float, side: int) -> Setup:
    """Return an ideal system whose input shows two levels, as a mirror array does."""
    system = FourF.ideal((side, side))
    mirrors = replace(system.input, kind="dmd", bits=1)
    return _setup(replace(system, input=mirrors), scheme="four-shot")


KNOBS: Mapping[str, Knob] = MappingProxyType(
    {
        knob.name: knob
        for knob in (
            Knob(name="ideal", label="everything ideal", values=(0.0,), setup=_ideal),
            Knob(
                name="bits", label="bits of both modulators", values=(2, 3, 4, 5, 6, 8),
                setup=_bits,
            ),
            Knob(
                name="photons", label="detected photons per MAC",
                values=(0.03, 0.1, 0.3, 1, 3, 10), setup=_photons, logarithmic=True,
            ),
            Knob(name="camera", label="bits of the camera", values=(3, 4, 5, 6, 8, 10),
                 setup=_camera),
            Knob(
                name="pupil", label="pupil over the spectrum's width",
                values=(0.8, 1.0, 1.1, 1.2, 1.3, 1.42), setup=_pupil,
            ),
            Knob(
                name="shift", label="shift of the filter (pixels)", values=(8, 6, 4, 3, 2, 1),
                setup=_shift, share=0.25,
            ),
            Knob(
                name="flicker", label="flicker of both modulators (rad)",
                values=(0.8, 0.6, 0.4, 0.2, 0.1), setup=_flicker, share=0.25,
            ),
            Knob(name="lcos", label="parts of lcos-pluto", values=(0.0,), setup=_lcos,
                 share=0.1),
            Knob(name="mirrors", label="mirrors at the input", values=(0.0,),
                 setup=_mirrors, share=0.5),
        )
    }
)  # fmt: skip
"""Knobs by name, in the order of the table."""


def knob_of(name: str) -> Knob:
    """Return the knob called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in KNOBS:
        raise InputError(f"no knob is called '{name}'; there are {', '.join(KNOBS)}")
    return KNOBS[name]
