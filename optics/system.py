"""The whole 4f system: its parts in the order in which light and data pass them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from optics.camera import Camera
from optics.checks import figures_of, finite, not_negative, positive
from optics.errors import InputError
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Misalignment of the filter modulator against the Fourier plane of lens 1.

    Attributes:
        shift_m: distance (down, right) of the filter's centre from the optical axis.
        rotation_rad: rotation of the filter about the axis, from the row axis (down) towards the
            column axis (right).
        defocus_m: distance of the filter behind the focal plane; negative is before it.
        magnification: size of the filter's pattern over the size that it was computed for.

    Raises:
        InputError: a figure is not finite, or the magnification is not above 0.
    """

    shift_m: tuple[float, float] = (0.0, 0.0)
    rotation_rad: float = 0.0
    defocus_m: float = 0.0
    magnification: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.shift_m, tuple) or len(self.shift_m) != 2:
            raise InputError(f"alignment: shift_m must be (down, right); got {self.shift_m!r}")
        for axis, shift_m in zip(("down", "right"), self.shift_m, strict=True):
            finite("alignment", f"shift_m, {axis}", shift_m)
        finite("alignment", "rotation_rad", self.rotation_rad)
        finite("alignment", "defocus_m", self.defocus_m)
        positive("alignment", "magnification", self.magnification)

    @classmethod
    def ideal(cls) -> Alignment:
        """Return a filter exactly in its place."""
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The electronics that feed the modulators and take the camera's frames.

    Attributes:
        flop_s: floating-point operations per second for what is not done by light; infinity
            takes no time.
        power_w: electricity while the system runs.
        name: name of the part, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: a figure is out of its range.
    """

    flop_s: float = math.inf
    power_w: float = 0.0
    name: str = "host"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        with figures_of(self) as check:
            check(positive, "flop_s", infinite=True)
            check(not_negative, "power_w")

    @classmethod
    def ideal(cls) -> Host:
        """Return electronics that take no time and no power."""
        return cls(name="ideal host")


@dataclass(frozen=True, slots=True, kw_only=True)
class FourF:
    """A 4f correlator: laser, input, f, lens 1, f, filter, f, lens 2, f, camera.

    Attributes:
        laser: source that lights the input modulator.
        input: modulator that shows the images.
        lens_1: lens that makes the images' spectrum at the filter.
        filter: modulator in the Fourier plane.
        lens_2: lens that makes the image at the camera, turned by 180° and scaled by -f2/f1.
        camera: camera that detects intensity.
        alignment: alignment of the filter.
        link_bytes_s: rate of the link between host and optics, in bytes per second in each
            direction; infinity takes no time.
        host: electronics at the other end of the link.
        name: name of the system, used in messages.
        source: source of each figure, by field name.

    Raises:
        InputError: the link's rate is not above 0.
    """

    laser: Laser
    input: Modulator
    lens_1: Lens
    filter: Modulator
    lens_2: Lens
    camera: Camera
    alignment: Alignment = field(default_factory=Alignment)
    link_bytes_s: float = math.inf
    host: Host = field(default_factory=Host)
    name: str = "4f"
    source: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        positive(self.name, "link_bytes_s", self.link_bytes_s, infinite=True)

    @classmethod
    def ideal(
        cls,
        pixels: tuple[int, int] = (1080, 1080),
        pitch_m: float = 8e-6,
        wavelength_m: float = 532e-9,
    ) -> FourF:
        """Return a system without limits but its pixels, critically sampled: f = N pitch²/λ.

        N is the larger side; the filter has N×N pixels of the same pitch.
        """
        side = max(pixels)
        focal_length_m = side * pitch_m**2 / wavelength_m
        return cls(
            laser=Laser.ideal(wavelength_m),
            input=Modulator.ideal(pixels, pitch_m),
            lens_1=Lens.ideal(focal_length_m),
            filter=Modulator.ideal((side, side), pitch_m),
            lens_2=Lens.ideal(focal_length_m),
            camera=Camera.ideal(pixels, pitch_m),
            host=Host.ideal(),
            name="ideal 4f",
        )

    @property
    def efficiency(self) -> float:
        """Light power that passes when every pixel is fully on, pupils and fill factors apart."""
        wavelength_m = self.laser.wavelength_m
        return (
            self.input.efficiency
            * self.input.blazed(wavelength_m)
            * self.lens_1.efficiency
            * self.filter.efficiency
            * self.filter.blazed(wavelength_m)
            * self.lens_2.efficiency
        )

    @property
    def magnification(self) -> float:
        """Of the image at the camera against the input, -f2/f1."""
        return -self.lens_2.focal_length_m / self.lens_1.focal_length_m

    @property
    def spectrum_m(self) -> float:
        """Width of one period of the input's spectrum in the Fourier plane, λ f1 / pitch."""
        return self.laser.wavelength_m * self.lens_1.focal_length_m / self.input.pitch_m
