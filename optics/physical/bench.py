"""A 4f system set up to compute layers: sign scheme, patterns, sampling, noise and memory."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal, get_args

from torch import Tensor

from optics.detection import FourShot, Scheme
from optics.errors import InputError
from optics.ideal import MAX_BYTES
from optics.modulator import Modulator
from optics.presets import preset
from optics.system import FourF
from optics.tiling import ConvShape, Kind, Layout, plan, side_by_side, usable_plane

_OFF_DESIGN = 0.005
"""Relative difference of wavelengths from which a bench warns: below it, 2π is off by 0.03 rad."""


class WavelengthWarning(UserWarning):
    """A modulator is used off the wavelength that it is designed for."""


Pupils = Literal["lens", "filter"]
"""Plane of the pupils: those of the lenses, or both in the plane of the filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The fidelity of the physical road; every result says which it was computed with.

    Attributes:
        input: samples per input pixel and axis. 1 takes each pixel as a point that stands for its
            mean; from 2 on pixels are squares, exactly so for what passes the filter.
        filter: samples per filter pixel and axis. 1 takes each pixel as a point, so that the
            filter's impulse response repeats at full strength with the period λf/q and light that
            leaves one side of that period comes back on the other; from 2 on pixels are squares
            and light that leaves the plane is gone.
        pupils: ``"lens"`` propagates from focal plane to lens to focal plane, so that a pupil
            cuts off light of each place differently (vignetting); it takes three transforms for
            each lens with a pupil, and two samples per pixel on both modulators. ``"filter"``
            folds both pupils into the filter's plane, right for places near the axis (Goodman,
            ch. 6: cut-off ρ/(λf)); it costs nothing.

    Raises:
        InputError: a number of samples is below 1, or the place of the pupils is unknown.
    """

    input: int = 1
    filter: int = 1
    pupils: Pupils = "filter"

    def __post_init__(self) -> None:
        for name in ("input", "filter"):
            samples = getattr(self, name)
            if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
                raise InputError(
                    f"sampling: {name} must be a whole number of samples per pixel of at least 1; "
                    f"got {samples!r}"
                )
        if self.pupils not in get_args(Pupils):
            raise InputError(f"sampling: pupils must be 'lens' or 'filter'; got {self.pupils!r}")

    @classmethod
    def points(cls) -> Sampling:
        """Return the fastest: every pixel a point, pupils in the filter's plane."""
        return cls()

    @classmethod
    def squares(cls, pupils: Pupils = "lens") -> Sampling:
        """Return square pixels, two samples per axis, and pupils in their own planes."""
        return cls(input=2, filter=2, pupils=pupils)


@dataclass(frozen=True, slots=True)
class Bench:
    """A 4f system set up to compute layers, and how finely the physical road simulates it.

    Layers whose settings are alike share one; :func:`dataclasses.replace` makes another of it.

    Attributes:
        system: the parts.
        scheme: sign scheme, which finds signed numbers from intensities. Its passes are exposures
            of each frame, and count in the timing of both roads;
            :class:`optics.detection.FieldItself` has no camera.
        sampling: samples per pixel on the physical road.
        encoder: arguments of :func:`optics.encoding.encode` for a filter that is not ``ideal``.
        compensate: whether the filter's patterns undo the envelopes of square pixels.
        input_peak: value of the images that drives the input modulator fully; ``None`` is the
            largest of each batch.
        noise: whether the camera draws shot, dark and read noise, in training and in evaluation.
        along: kinds that may lie side by side on the plane. ``None`` is what the filter shows
            without loss, :func:`optics.tiling.side_by_side`.
        planes: binary planes in which mirrors show an image one after another, the first worth half
            of full drive, the next a quarter, …; each has exposures of its own, and electronics
            adds their outputs. 1 shows images in two levels.
        dither: whether mirrors show a gray image in a single plane by error diffusion (Floyd and
            Steinberg), whose errors have high frequencies: kernels that blur leave them out, and
            kernels that find edges do not.
        max_bytes: working memory of a pass beside its arguments and its result, in bytes.

    Raises:
        InputError: ``input_peak`` is not finite or not above 0, ``planes`` is no whole number from
            1 to 16, or above 1 on an input that is no mirror array; or ``dither`` is, or comes with
            several planes.

    Warns:
        WavelengthWarning: a modulator is designed for another wavelength than the laser's.
    """

    system: FourF
    _: KW_ONLY
    scheme: Scheme = field(default_factory=FourShot)
    sampling: Sampling = field(default_factory=Sampling)
    encoder: Mapping[str, Any] = field(default_factory=dict, hash=False)
    compensate: bool = True
    input_peak: float | None = None
    noise: bool = True
    along: Collection[Kind] | None = None
    planes: int = 1
    dither: bool = False
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        peak = self.input_peak
        if peak is not None and not (math.isfinite(peak) and peak > 0):
            raise InputError(f"input_peak must be finite and above 0; got {peak!r}")
        if isinstance(self.planes, bool) or not isinstance(self.planes, int):
            raise InputError(f"planes must be a whole number from 1 to 16; got {self.planes!r}")
        if not 1 <= self.planes <= 16 or (self.planes > 1 and self.system.input.kind != "dmd"):
            raise InputError(
                f"planes must be from 1 to 16, and 1 unless the input is a DMD, whose mirrors show "
                f"gray levels by time; got {self.planes} with an input of kind "
                f"{self.system.input.kind!r}"
            )
        if self.dither and (self.planes > 1 or self.system.input.kind != "dmd"):
            raise InputError(
                "dither is for one plane of an input that is a DMD, whose mirrors show two levels; "
                f"got planes={self.planes} with an input of kind {self.system.input.kind!r}"
            )
        for place, part in (("input", self.system.input), ("filter", self.system.filter)):
            _warn_of_wavelength(place, part, self.system.laser.wavelength_m)

    @classmethod
    def preset(cls, name: str, **settings: Any) -> Bench:
        """Return the bench of the system called ``name``.

        Args:
            name: name of the system, one of :data:`optics.presets.PRESETS`.
            settings: other fields.

        Raises:
            InputError: there is no system of that name.
        """
        return cls(preset(name), **settings)

    @property
    def tiles_along(self) -> Collection[Kind]:
        """Kinds that may lie side by side on the plane."""
        return side_by_side(self.system) if self.along is None else self.along

    @property
    def passes(self) -> int:
        """Exposures of each frame: those of the sign scheme, for every binary plane."""
        return len(self.scheme.passes) * self.planes

    def layout(self, shape: ConvShape) -> Layout:
        """Return the layout of a convolution; an empty batch is planned as one image.

        Raises:
            InputError: an image with its guard band is larger than the plane.
        """
        shown = shape if shape.batch else replace(shape, batch=1)
        plane = usable_plane(self.system)
        return plan(shown, plane, passes=self.passes, along=self.tiles_along)

    def fitted(self, images: Tensor) -> Bench:
        """Return the bench with an ``input_peak`` that is at least the largest of ``images``."""
        if self.input_peak is None or images.numel() == 0:
            return self
        largest = float(images.detach().abs().amax())
        return replace(self, input_peak=max(self.input_peak, largest))


def _warn_of_wavelength(place: str, part: Modulator, wavelength_m: float) -> None:
    design_m = part.design_wavelength_m
    if design_m is None or abs(wavelength_m / design_m - 1) < _OFF_DESIGN:
        return
    text = (
        f"{place}: {part.name} is designed for {design_m * 1e9:g} nm, and the laser has "
        f"{wavelength_m * 1e9:g} nm"
    )
    if part.table is not None:
        text += ": its table is another there; measure it at the laser's wavelength"
    elif part.kind == "lcos-phase":
        there_rad = part.phase_range_rad * design_m / wavelength_m
        text += (
            f": its phase range of {part.phase_range_rad:.4g} rad is about {there_rad:.4g} rad "
            f"there; set phase_range_rad={there_rad:.4g} and design_wavelength_m to the laser's"
        )
    else:
        text += ": its efficiency is another there; give efficiency and design_wavelength_m of it"
    warnings.warn(text, WavelengthWarning, stacklevel=4)
