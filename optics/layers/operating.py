"""A model on a 4f system at an operating point: input peak, beam and exposure of each layer.

A reference beam of two frames recovers the signs of fields. Two frames are the fewest that work for
fields of any sign: a single frame needs a beam stronger than every field, and refuses images
brighter than those of its calibration. The beam has the mean intensity of the layer's fields,
R = ⟨u²⟩, which minimises noise (R + u²)/(8R) times light 2(R + u²). It needs an input modulator
that shows signs, and an aligned filter: the beam has one phase for all tiles, while a shifted
filter adds another phase to each tile. Otherwise the scheme is four-shot, which takes four passes
and does not depend on the phase.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from optics.detection import FieldItself, FourShot, ReferenceBeam
from optics.errors import InputError
from optics.layers.calibration import calibrate
from optics.layers.conv import OpticalConv2d
from optics.layers.conversion import convert
from optics.physical import Bench, GrayWarning
from optics.system import FourF

HEADROOM = 0.8
"""Share of the camera's limit that the brightest reading takes on the calibrating images."""

FRAMES = 2
"""Frames of the reference beam."""

WELL_E = 1e6
"""Full well of a camera whose bits alone are limited, in electrons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A bench, and the light of each layer on it.

    Attributes:
        bench: the system and its settings, without the scheme.
        scheme: sign scheme.
        photons: photons detected per multiply-accumulate, the same in every layer; ``None`` sets
            the exposure by the full well of the camera. With photons, a camera with a limit has in
            every layer the gain with which the brightest reading takes :data:`HEADROOM` of it.
        trimmed: whether each layer's results are divided by their slope against the exact ones.
            Light that real parts lose or spread makes results too small, which electronics can
            correct.
        lit: number of calibration images that gain and exposure are measured with; ``None`` is
            all.
    """

    bench: Bench
    scheme: Literal["reference", "four-shot"] = "reference"
    photons: float | None = None
    trimmed: bool = False
    lit: int | None = None


def operating_point(
    plane: tuple[int, int],
    *,
    bits: int | None = None,
    camera_bits: int | None = None,
    photons: float | None = None,
) -> Setup:
    """Return a system that is ideal but for the bits of its parts and the light that it detects.

    Args:
        plane: pixels (rows, columns) of modulators and camera.
        bits: bits of both modulators; ``None`` shows any value.
        camera_bits: bits of the camera's converter; ``None`` counts electrons.
        photons: photons detected per multiply-accumulate, with their shot noise; ``None`` has no
            noise.

    Raises:
        InputError: a number is out of its range.
    """
    system = FourF.ideal(plane)
    camera = system.camera
    if camera_bits is not None:
        camera = replace(camera, full_well_e=WELL_E, bits=camera_bits)
    system = replace(
        system,
        input=replace(system.input, bits=bits),
        filter=replace(system.filter, bits=bits),
        camera=camera,
    )
    return Setup(bench=Bench(system, noise=photons is not None), photons=photons)


@dataclass(frozen=True)
class Meter(FieldItself):
    """Records Σ|u|² and the largest |u|² of the field itself, in electrons."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the only reading, and record its power."""
        power = readings[0].abs().square()
        self.seen.append((float(power.sum(dtype=torch.float64)), float(power.max())))
        return readings[0].real


@dataclass(frozen=True)
class FourShotMeter(FourShot):
    """Records the sum and the largest of the readings, in electrons."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    def combine(self, readings: Tensor) -> Tensor:
        """Return the result of four-shot, and record the readings."""
        self.seen.append((float(readings.sum(dtype=torch.float64)), float(readings.max())))
        return FourShot.combine(self, readings)


def put_on_light(model: nn.Module, setup: Setup, images: Tensor, seed: int) -> nn.Module:
    """Return a copy of a model whose convolutions are on a bench, calibrated.

    :func:`optics.layers.calibrate` finds the peaks of the inputs. Exposures follow from one run by
    light without noise, as readings grow with the exposure, the reference beam's with them.

    Args:
        model: model with plain convolutions.
        setup: bench of the convolutions, and its light.
        images: calibration images, as many as later batches have.
        seed: seed of all random numbers of the layers.

    Raises:
        InputError: no light passes a filter.
    """
    system = setup.bench.system
    if system.input.kind == "dmd":
        warnings.filterwarnings("ignore", category=GrayWarning)  # two levels are the limit here
    unlimited = replace(system, camera=replace(system.camera, full_well_e=math.inf, bits=None))
    bench = replace(setup.bench, system=unlimited, scheme=FourShot(), noise=False)
    made = convert(model, bench, road="physical", seed=seed).model
    made.eval()
    # How wrong a limit makes the layers is what the figure shows.
    calibrate(made, images, least_snr_db=-math.inf)
    layers = optical_layers(made)
    unknown = setup.scheme == "reference" or math.isfinite(system.camera.saturation_e)
    lights = measured(made, images, setup) if unknown or setup.trimmed else {}
    for name, layer in layers.items():
        layer.bench = replace(setup.bench, scheme=layer.bench.scheme)
        if name in lights:
            _set(layer, name, lights[name], setup)
    return made


@dataclass(frozen=True, slots=True)
class Light:
    """Light of a layer's fields at the camera, without a reference.

    Attributes:
        mean_e: mean electrons of an output, ⟨u²⟩; with four-shot of its four readings together.
        brightest_e: largest number of electrons of an output.
        gain: slope of the result against the exact one.
    """

    mean_e: float
    brightest_e: float
    gain: float


def measured(model: nn.Module, images: Tensor, setup: Setup) -> dict[str, Light]:
    """Return the light of every optical layer on a batch, at its exposure."""
    layers = optical_layers(model)
    images = images[: setup.lit]
    benches = {name: layer.bench for name, layer in layers.items()}
    meters = {name: Meter() if setup.scheme == "reference" else FourShotMeter() for name in layers}
    outputs: dict[str, int] = dict.fromkeys(layers, 0)
    slopes: dict[str, float] = {}

    def note(name: str) -> Any:
        def hook(layer: OpticalConv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            exact = functional.conv2d(
                inputs[0], layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation,
                layer.groups,
            )  # fmt: skip
            result = output
            if layer.bias is not None:
                bias = layer.bias[:, None, None]
                exact, result = exact - bias, result - bias
            slopes[name] = float((exact * result).sum() / exact.square().sum())
            outputs[name] += output.numel()

        return hook

    hooks = [layer.register_forward_hook(note(name)) for name, layer in layers.items()]
    try:
        for name, layer in layers.items():
            layer.bench = replace(layer.bench, scheme=meters[name])
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
        for name, layer in layers.items():
            layer.bench = benches[name]
    return {
        name: Light(
            sum(power for power, _ in meter.seen) / outputs[name],
            max(most for _, most in meter.seen),
            slopes[name],
        )
        for name, meter in meters.items()
    }


def detected_per_mac(light: Light, layer: OpticalConv2d) -> float:
    """Return photons detected per multiply-accumulate, reference and all frames included.

    K(R + ⟨u²⟩)/(η MACs) with a beam of R = ⟨u²⟩ electrons in each of K frames; an output has as
    many multiply-accumulates as a kernel has weights. Light on camera pixels that belong to no
    output is not counted.
    """
    efficiency = layer.bench.system.camera.quantum_efficiency
    return FRAMES * 2 * light.mean_e / efficiency / layer.weight[0].numel()


def optical_layers(model: nn.Module) -> dict[str, OpticalConv2d]:
    """Return the optical layers of a model, by name."""
    return {
        name: layer for name, layer in model.named_modules() if isinstance(layer, OpticalConv2d)
    }


def _set(layer: OpticalConv2d, name: str, light: Light, setup: Setup) -> None:
    """Set exposure and reference beam of a layer by its light, and correct its gain."""
    if light.mean_e == 0:
        raise InputError(
            f"{name}: no light passes the filter, whose few levels round all of the kernels' "
            "spectrum to 0; take modulators of more bits"
        )
    beam_e = light.mean_e if setup.scheme == "reference" else 0.0
    camera = setup.bench.system.camera
    brightest_e = (math.sqrt(beam_e) + math.sqrt(light.brightest_e)) ** 2
    exposed = 1.0
    if setup.photons is not None:
        exposed = setup.photons / detected_per_mac(light, layer)
        if math.isfinite(camera.saturation_e):
            fitted = replace(camera, full_well_e=brightest_e * exposed / HEADROOM)
            system = replace(setup.bench.system, camera=fitted)
            layer.bench = replace(layer.bench, system=system)
    elif math.isfinite(camera.saturation_e):
        exposed = HEADROOM * camera.saturation_e / brightest_e
    if beam_e:
        beam = ReferenceBeam(electrons=beam_e * exposed, frames=FRAMES)
        layer.bench = replace(layer.bench, scheme=beam)
    assert layer.calibration is not None
    layer.calibration[1] *= exposed
    if setup.trimmed and light.gain > 0:
        # The filter shows relative values and stays the same; only the unit of readings changes.
        layer.weight = nn.Parameter(layer.weight.detach() / light.gain)
