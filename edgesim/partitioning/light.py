"""The physical road of ``optics`` for the models of ``partition``, which knows no optics."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

import optics
from optics.errors import InputError as OpticsInputError
from optics.layers import OpticalConv2d, SaturationWarning
from optics.layers.linear import linear_as_conv
from optics.layers.operating import operating_point, optical_layers, put_on_light
from partition.code_version import version_of
from partition.errors import InputError
from partition.light import Lit, OnLight
from partition.model import VisionTransformer
from partition.recipe import LightSpec
from partition.train import seed_of


@dataclass(frozen=True)
class PhysicalRoad:
    """Puts a model on the physical road, every convolution and linear layer of it.

    A linear layer is a convolution as :mod:`optics.layers.linear` says, which is also how a 4f
    device of a scenario runs it. Norms, softmax, products of attention, activations and residuals
    are electronic.
    """

    @cached_property
    def version(self) -> str:
        """Text that is other for other code of ``optics``."""
        return version_of(Path(optics.__file__).parent)

    def __call__(
        self, model: VisionTransformer, spec: LightSpec, images: Tensor, seed: int
    ) -> OnLight:
        """Return a model on light, see :class:`partition.light.Road`.

        Raises:
            InputError: a layer does not fit the planes, or no light passes it.
        """
        try:
            setup = operating_point(
                (spec.plane, spec.plane),
                bits=spec.bits,
                camera_bits=spec.camera_bits,
                photons=spec.photons,
            )
            lit = put_on_light(linear_as_conv(model), setup, images, seed)
        except OpticsInputError as error:
            raise InputError(f"light: {error}") from None
        electronic = [name for name, layer in lit.named_modules() if _is_electronic(layer)]
        if electronic:
            raise InputError(
                f"light: {electronic[0]} does not fit planes of {spec.plane} x {spec.plane} "
                "pixels; raise light.plane"
            )
        layers = list(optical_layers(lit).values())
        assert isinstance(lit, VisionTransformer)

        def on_light(inputs: Tensor, seed: int) -> Lit:
            for number, layer in enumerate(layers):
                layer.reseed(seed_of(seed, number))
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore", SaturationWarning)  # they are counted
                pooled = lit.pool(lit.encode(lit.embed(inputs)))
                logits = lit.classify(pooled)
            saturated = sum(layer.last_saturated for layer in layers)
            return Lit(features=pooled.flatten(1), logits=logits, saturated=saturated)

        return on_light


def _is_electronic(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and not isinstance(layer, OpticalConv2d)
