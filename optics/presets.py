"""Systems by name: one as printed, two of parts that one can buy, each figure with its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from optics.camera import Camera
from optics.errors import InputError
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.system import FourF, Host

_TI = "TI DLPS026 (DLP7000 data sheet)"
_HOLOEYE = "HOLOEYE PLUTO-2.1 data sheet"
_FATNET = "FatNet, arXiv 2210.16914"


def fatnet_2160() -> FourF:
    """Return the system of FatNet's printed times: a 2160 square, 2 µs a convolution.

    Print has no readout, converter, memory, electronics or energy, so that those are ideal here.
    A modulator of this size and rate is not for sale; binary DMDs are 30 to 90 times slower.
    """
    pixels, pitch_m, wavelength_m = (2160, 2160), 3.74e-6, 532e-9
    focal_length_m = pixels[0] * pitch_m**2 / wavelength_m
    modulator_source = {
        "pixels": f"{_FATNET}: '4K'; its 3136 images a frame are those of a 2160 square",
        "frame_time_s": f"derived from {_FATNET}: passes x frame time = 2 us, which of the two is "
        "not said; here 2 passes (positive and negative kernels) of 1 us",
        "pitch_m": "estimate: the pitch of 4K LCoS parts; not in print",
    }

    lens = replace(
        Lens.ideal(focal_length_m),
        source={
            "focal_length_m": "derived: critical sampling, f = N pitch^2 / wavelength; not in print"
        },
    )

    def part(name: str) -> Modulator:
        return Modulator(
            kind="ideal",
            pixels=pixels,
            pitch_m=pitch_m,
            frame_time_s=1e-6,
            name=name,
            source=modulator_source,
        )

    return FourF(
        laser=Laser(
            wavelength_m=wavelength_m,
            power_w=1.0,
            name="laser",
            source={"wavelength_m": "estimate; not in print", "power_w": "estimate; not in print"},
        ),
        input=part("input modulator"),
        lens_1=lens,
        filter=part("filter modulator"),
        lens_2=lens,
        camera=Camera(
            pixels=pixels,
            pitch_m=pitch_m,
            exposure_s=1e-6,
            name="camera",
            source={
                "pixels": "derived: those of the modulators",
                "pitch_m": "derived: that of the modulators, at unit magnification",
                "exposure_s": "derived: the frame time; no readout is in print",
            },
        ),
        host=Host.ideal(),
        name="fatnet-2160",
        source={
            "link_bytes_s": f"{_FATNET} counts no transfer",
        },
    )


def dmd_dlp7000() -> FourF:
    """Return a binary system of two DLP7000 mirror arrays and a high-speed camera.

    The camera, not the mirrors, sets the rate of the optics: 20,000 frames a second against 23,148.
    Whole frames at that rate are 31 GB/s, four times the link, so that the link sets the rate of
    the system unless only tiles are read. (The camera named keeps its frames in its own memory.)

    A binary filter sends its result off the axis, beside undiffracted light and a twin. Kernels
    side by side would reach into these: lay images alone side by side, ``along=("images",)``.
    """

    def part(name: str) -> Modulator:
        return Modulator(
            kind="dmd",
            pixels=(768, 1024),
            pitch_m=13.68e-6,
            bits=1,
            fill_factor=0.92,
            efficiency=0.86 * 0.88 * 0.97**2,
            frame_time_s=43.2e-6,
            load_s=30.72e-6,
            settle_s=12.5e-6,
            double_buffered=True,
            power_w=20.0,
            name=name,
            source={
                "pixels": _TI,
                "pitch_m": _TI,
                "bits": f"{_TI}: a mirror is on or off",
                "fill_factor": f"{_TI}: array fill factor 92 %",
                "efficiency": f"derived from {_TI}: diffraction 86 %, mirror 88 %, window 97 % "
                "twice; assumes the tilt is blazed for the order used",
                "frame_time_s": "TI support forum, thread 594673: 43 us a bit plane with global "
                "reset",
                "load_s": "derived: 32,552 patterns a second in the data sheet of the DLP7000",
                "settle_s": "TI support forum, thread 462931: the array settles for about 13 us "
                "after a global reset; derived: 43.2 us less the load",
                "double_buffered": f"{_TI}: mirrors hold while their memory loads, but may not be "
                "loaded while they settle, which the frame time tells",
                "power_w": "estimate: mirrors, drivers and the controller board",
            },
        )

    return FourF(
        laser=Laser(
            wavelength_m=532e-9,
            power_w=0.1,
            wall_plug_efficiency=0.1,
            name="532 nm diode-pumped solid-state laser",
            source={
                "wavelength_m": "estimate: second harmonic of Nd:YVO4, the usual green laser",
                "power_w": "estimate: a common size",
                "wall_plug_efficiency": "estimate: diode-pumped solid-state lasers reach 0.05 to "
                "0.2",
            },
        ),
        input=part("DLP7000 at the input"),
        lens_1=_achromat(0.25),
        filter=part("DLP7000 at the filter"),
        lens_2=replace(
            _achromat(0.25 * 20 / 13.68),
            name="two-inch relay, f = 365 mm",
            source={
                "focal_length_m": "derived: the image of a mirror is one camera pixel, 20 um; such "
                "a focal length is set by two achromats",
                "pupil_m": "derived: 90 % of a two-inch mount",
                "zernike_waves": "estimate: some spherical aberration left",
                "efficiency": "estimate: coated, below 0.5 % at each of two outer faces",
            },
        ),
        camera=Camera(
            pixels=(1024, 1024),
            pitch_m=20e-6,
            quantum_efficiency=0.45,
            dark_e_s=5000.0,
            read_noise_e=25.0,
            full_well_e=20000.0,
            bits=12,
            exposure_s=37.5e-6,
            readout_s=50e-6,
            frame_time_s=50e-6,
            power_w=100.0,
            name="high-speed camera (Photron FASTCAM SA-Z class)",
            source={
                "pixels": "Photron FASTCAM SA-Z: 1024 x 1024 at 20,000 frames a second, 12 bit",
                "pitch_m": "Photron FASTCAM SA-Z: 20 um",
                "bits": "Photron FASTCAM SA-Z: 12 bit",
                "frame_time_s": "derived: 20,000 frames a second",
                "quantum_efficiency": "estimate",
                "dark_e_s": "estimate",
                "read_noise_e": "estimate: high-speed sensors read 15 to 40 e",
                "full_well_e": "estimate",
                "exposure_s": "derived: the frame time less 12.5 us for the mirrors to settle",
                "readout_s": "estimate: a frame time, while the next frame is exposed",
                "power_w": "estimate",
            },
        ),
        link_bytes_s=7.88e9,
        host=_workstation(),
        name="dmd-dlp7000",
        source={
            "link_bytes_s": "derived: PCI Express 3.0, 8 lanes of 8 GT/s, 128b/130b; estimate: "
            "that the camera streams over it"
        },
    )


def lcos_pluto() -> FourF:
    """Return a system of a liquid-crystal amplitude display, a phase display and a CMOS camera.

    The phase display's crosstalk spoils double-phase patterns on the axis, whose pixels differ most
    from their neighbours: give the encoder a carrier, as ``{"carrier": (0.125, 0.0)}``.
    """
    common = {
        "pixels": _HOLOEYE,
        "pitch_m": f"{_HOLOEYE}: 8.0 um",
        "bits": f"{_HOLOEYE}: 256 levels",
        "fill_factor": f"{_HOLOEYE}: 93 %",
        "frame_time_s": f"{_HOLOEYE}: 60 Hz",
        "dead_zone_amplitude": "estimate: gaps reflect about a tenth of the power",
        "crosstalk_px": "estimate: fringing field of about a third of a pixel",
        "flicker_rad": "estimate: digital drive leaves some hundredths of 2 pi",
        "efficiency": "estimate: reflectivity and cover glass",
        "load_s": "derived: the video signal fills the frame time",
        "settle_s": "estimate: nematic response at room temperature",
        "power_w": "estimate: display and driver",
    }

    def part(kind: str, name: str) -> Modulator:
        phase = kind == "phase"
        return Modulator(
            kind="lcos-phase" if phase else "lcos-amplitude",
            pixels=(1080, 1920),
            pitch_m=8e-6,
            bits=8,
            phase_range_rad=2 * math.pi,
            fill_factor=0.93,
            dead_zone_amplitude=0.3,
            crosstalk_px=0.3,
            flicker_rad=0.1 if phase else 0.0,
            efficiency=0.8 if phase else 0.4,
            frame_time_s=1 / 60,
            load_s=1 / 60,
            settle_s=10e-3,
            power_w=10.0,
            name=name,
            source=common
            if phase
            else {**common, "efficiency": "estimate: reflectivity and two passes of a polariser"},
        )

    return FourF(
        laser=Laser(
            wavelength_m=532e-9,
            power_w=0.01,
            wall_plug_efficiency=0.1,
            name="532 nm diode-pumped solid-state laser",
            source={
                "wavelength_m": "estimate: second harmonic of Nd:YVO4, the usual green laser",
                "power_w": "estimate: a common size",
                "wall_plug_efficiency": "estimate: diode-pumped solid-state lasers reach 0.05 to "
                "0.2",
            },
        ),
        input=part("amplitude", "amplitude display (PLUTO-2.1 backplane, twisted nematic)"),
        lens_1=_achromat(0.125),
        filter=part("phase", "HOLOEYE PLUTO-2.1 phase display"),
        lens_2=_achromat(0.125),
        camera=Camera(
            pixels=(1536, 2048),
            pitch_m=3.45e-6,
            quantum_efficiency=0.65,
            dark_e_s=5.0,
            read_noise_e=2.4,
            full_well_e=10500.0,
            bits=12,
            exposure_s=5e-3,
            readout_s=1 / 118,
            frame_time_s=1 / 118,
            power_w=3.0,
            name="FLIR Blackfly S BFS-U3-32S4M (Sony IMX252)",
            source={
                "pixels": "FLIR specification of BFS-U3-32S4M",
                "pitch_m": "FLIR specification of BFS-U3-32S4M",
                "frame_time_s": "FLIR specification of BFS-U3-32S4M: 118 frames a second",
                "bits": "FLIR specification of BFS-U3-32S4M",
                "quantum_efficiency": "estimate: EMVA 1288 reports of this sensor lie near 0.65 at "
                "525 nm",
                "read_noise_e": "estimate: EMVA 1288 reports of this sensor lie near 2.4 e",
                "full_well_e": "estimate: EMVA 1288 reports of this sensor lie near 10,500 e",
                "dark_e_s": "estimate",
                "exposure_s": "estimate: within the settled part of the display's frame",
                "readout_s": "derived: the frame time",
                "power_w": "estimate: USB 3 supply",
            },
        ),
        link_bytes_s=4e8,
        host=_workstation(),
        name="lcos-pluto",
        source={
            "link_bytes_s": "derived: USB 3.0, 5 Gbit/s, 8b/10b; estimate: a fifth is protocol"
        },
    )


PRESETS: Mapping[str, Callable[[], FourF]] = MappingProxyType(
    {"fatnet-2160": fatnet_2160, "dmd-dlp7000": dmd_dlp7000, "lcos-pluto": lcos_pluto}
)
"""The functions that make the systems, by name."""


def preset(name: str) -> FourF:
    """Return the system called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"no system is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]()


def _achromat(focal_length_m: float) -> Lens:
    return Lens(
        focal_length_m=focal_length_m,
        pupil_m=45.7e-3,
        zernike_waves=(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.02),
        efficiency=0.99,
        name=f"two-inch achromat, f = {focal_length_m * 1e3:g} mm",
        source={
            "focal_length_m": "estimate: a stock focal length",
            "pupil_m": "derived: 90 % of a two-inch mount",
            "zernike_waves": "estimate: some spherical aberration left",
            "efficiency": "estimate: coated, below 0.5 % at each of two outer faces",
        },
    )


def _workstation() -> Host:
    return Host(
        flop_s=1e11,
        power_w=65.0,
        name="workstation",
        source={"flop_s": "estimate", "power_w": "estimate"},
    )
