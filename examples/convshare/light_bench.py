"""A 4f system with its settings, and a model put on it: peaks, beam and exposure of each layer.

Signs of activations and kernels are told by a reference beam of two frames, the fewest passes that
take fields of any sign: a single frame needs a beam that outshines every field, and refuses images
brighter than those it was set up with. The beam is as bright as a layer's fields are in the mean,
R = ⟨u²⟩, where a detected photon tells most: noise (R + u²)/(8R) times light 2(R + u²) is least.
It takes an input modulator that shows signs, and a filter in its place: the beam has one phase for
all tiles, and a filter that is shifted turns each tile's by another angle. Where either fails the
scheme is four-shot, which takes four passes and sees no phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from optics.detection import FieldItself, FourShot, ReferenceBeam
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, calibrate, convert

HEADROOM = 0.8
"""Share of the camera's limit that the brightest reading takes on the calibrating images."""

FRAMES = 2
"""Of the reference beam."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A bench, and how each layer's light is set on it.

    Attributes:
        bench: the system and its settings, but for the scheme.
        scheme: how signs are told.
        photons: detected per multiply-accumulate, in every layer alike; ``None`` leaves the
            exposure to the camera's well.
        trimmed: whether each layer's results are divided by their slope against the exact ones.
            Light that real parts lose or spread makes results too small, which electronics can
            mend.
        lit: of the calibrating images, those that gain and exposure are found with; ``None`` is
            all.
    """

    bench: Bench
    scheme: Literal["reference", "four-shot"] = "reference"
    photons: float | None = None
    trimmed: bool = False
    lit: int | None = None


@dataclass(frozen=True)
class Meter(FieldItself):
    """Knows the field itself and keeps what it saw: Σ|u|² and the largest |u|², in electrons."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    def combine(self, readings: Tensor) -> Tensor:
        """Return the real part of the only reading, and keep what was seen."""
        power = readings[0].abs().square()
        self.seen.append((float(power.sum(dtype=torch.float64)), float(power.max())))
        return readings[0].real


@dataclass(frozen=True)
class FourShotMeter(FourShot):
    """Keeps the sum and the largest of the readings, in electrons."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    def combine(self, readings: Tensor) -> Tensor:
        """Return what four-shot does, and keep what was seen."""
        self.seen.append((float(readings.sum(dtype=torch.float64)), float(readings.max())))
        return FourShot.combine(self, readings)


def put_on_light(model: nn.Module, setup: Setup, images: Tensor, seed: int) -> nn.Module:
    """Return a copy of a model whose convolutions are on a bench, calibrated.

    :func:`optics.layers.calibrate` finds the peaks of the inputs. Exposures follow from one run by
    light without noise, as readings grow with the exposure, the reference beam's with them.

    Args:
        model: with plain convolutions.
        setup: the bench on which they go, and its light.
        images: like those to come, and as many at a time; not among them.
        seed: of all that the layers draw.

    Raises:
        InputError: no light comes through a filter.
    """
    system = setup.bench.system
    endless = replace(system, camera=replace(system.camera, full_well_e=math.inf, bits=None))
    bench = replace(setup.bench, system=endless, scheme=FourShot(), noise=False)
    made = convert(model, bench, road="physical", seed=seed).model
    made.eval()
    calibrate(made, images)
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
    """What a layer's camera would see of its fields, of each without a reference.

    Attributes:
        mean_e: mean electrons of an output, ⟨u²⟩; of all four parts together with four-shot.
        brightest_e: most electrons of an output.
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
            exact = functional.conv2d(inputs[0], layer.weight, layer.bias, layer.stride)
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
    """Return photons detected for an output, reference and all frames included, over its MACs.

    K(R + ⟨u²⟩)/(η MACs) with a beam of R = ⟨u²⟩ electrons in each of K frames. Of an output's
    multiply-accumulates there are as many as weights of a kernel. Light that falls on camera pixels
    that no output is read from is not in it.
    """
    efficiency = layer.bench.system.camera.quantum_efficiency
    return FRAMES * 2 * light.mean_e / efficiency / layer.weight[0].numel()


def optical_layers(model: nn.Module) -> dict[str, OpticalConv2d]:
    """Return the layers on light by name."""
    return {
        name: layer for name, layer in model.named_modules() if isinstance(layer, OpticalConv2d)
    }


def _set(layer: OpticalConv2d, name: str, light: Light, setup: Setup) -> None:
    """Expose a layer as its light wants it, set its beam, and trim it."""
    if light.mean_e == 0:
        raise InputError(
            f"{name}: no light passes the filter, whose few levels round all of the kernels' "
            "spectrum to 0; take modulators of more bits"
        )
    beam_e = light.mean_e if setup.scheme == "reference" else 0.0
    limit_e = setup.bench.system.camera.saturation_e
    exposed = 1.0
    if setup.photons is not None:
        exposed = setup.photons / detected_per_mac(light, layer)
    elif math.isfinite(limit_e):
        exposed = HEADROOM * limit_e / (math.sqrt(beam_e) + math.sqrt(light.brightest_e)) ** 2
    if beam_e:
        beam = ReferenceBeam(electrons=beam_e * exposed, frames=FRAMES)
        layer.bench = replace(layer.bench, scheme=beam)
    assert layer.calibration is not None
    layer.calibration[1] *= exposed
    if setup.trimmed and light.gain > 0:
        # The filter shows the same; only the unit of what is read changes.
        layer.weight = nn.Parameter(layer.weight.detach() / light.gain)
