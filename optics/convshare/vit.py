"""A plain ViT's weights as kernels, and back: the same numbers in another shape.

Row o of a matrix W (d_out, d_in) is one kernel as large as the map; with d_in of several maps it
has one kernel for each. A framework's convolution correlates, so that kernel and map meet as they
lie, Σ W[o, i] x[i]; light convolves, and the layer that puts it there turns the kernel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from optics.convshare.config import ConvShareConfig
from optics.convshare.model import ConvShareViT
from optics.errors import InputError
from optics.tiling.shape import Pair, near_square


def from_vit(
    vit: ConvShareViT | Mapping[str, Tensor],
    *,
    heads: int | None = None,
    map: Pair | None = None,  # noqa: A002 - the name in the configuration
) -> ConvShareViT:
    """Return the model of shared valid kernels that computes what a plain ViT does.

    Args:
        vit: a :class:`ConvShareViT` whose mixings are linear, or a state dict under timm's names:
            one class token, biases everywhere, and nothing that a plain ViT does not have.
        heads: heads of attention, which cannot be read from the weights; only with a state dict.
        map: (rows, columns) of a token, whose product is the width; as square as the width allows
            by default, 8 x 8 for 64, 12 x 16 for ViT-Tiny's 192 and 24 x 32 for ViT-Base's 768.

    Returns:
        The model, with parameters of its own of the same data type, on the same device.

    Raises:
        InputError: weights of another kind of model, or a map of another width.
    """
    if isinstance(vit, ConvShareViT):
        if heads is not None:
            raise InputError("a model has its own heads; give heads with a state dict only")
        config, state = vit.config, vit.state_dict()
        _require_linear(config)
    else:
        if heads is None:
            raise InputError("the number of heads cannot be read from weights; give heads=")
        config, state = _config_of(vit, heads), dict(vit)
    if map is not None and math.prod(map) != config.width:
        raise InputError(
            f"a map of {map[0]}x{map[1]} holds {math.prod(map)} numbers, but tokens have "
            f"{config.width}; {config.map[0]}x{config.map[1]} fits"
        )
    kernels = replace(
        config,
        map=map or config.map,
        qkv="shared-valid",
        projection="shared-valid",
        mlp="shared-valid",
    )
    return _filled(kernels, state)


def to_vit(model: ConvShareViT) -> ConvShareViT:
    """Return the plain ViT that computes what a model of whole-map kernels does.

    Its state dict is one of timm's names and shapes, the one that :func:`from_vit` was given to the
    last bit. Optical layers in the model give their weights alike.

    Raises:
        InputError: kernels that are smaller than the map or not shared, which no matrix of a plain
            ViT has as its rows.
    """
    for name, layer in model.config.layers().items():
        if layer.mixing != "linear" and not (layer.shared and layer.covers):
            raise InputError(
                f"{name}: a plain ViT's rows are shared valid kernels as large as the map; "
                f"got {layer.mixing} of {layer.kernel[0]}x{layer.kernel[1]}, which stays a "
                "convolution"
            )
    linear = replace(
        model.config,
        qkv="linear",
        projection="linear",
        mlp="linear",
        kernel=None,
        mlp_kernel=None,
    )
    return _filled(linear, model.state_dict())


def _filled(config: ConvShareConfig, state: Mapping[str, Tensor]) -> ConvShareViT:
    """Return a model with the weights of another, each in the shape that it has there."""
    weight = state["cls_token"]
    model = ConvShareViT(config).to(weight.device, weight.dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state[name].reshape(parameter.shape))
    return model


def _require_linear(config: ConvShareConfig) -> None:
    for name, layer in config.layers().items():
        if layer.mixing != "linear":
            raise InputError(f"{name}: a plain ViT is linear; got {layer.mixing}")


def _config_of(state: Mapping[str, Tensor], heads: int) -> ConvShareConfig:
    """Return the plain ViT that weights under timm's names are of.

    Raises:
        InputError: names or shapes that a plain ViT does not have.
    """
    for name in ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight", "head.weight"):
        if name not in state:
            raise InputError(
                f"{name} is missing; expected the state dict of a timm VisionTransformer"
            )
    width, channels, patch, _ = state["patch_embed.proj.weight"].shape
    side = math.isqrt(state["pos_embed"].shape[1] - 1)
    depth = 1 + max(
        int(found[1]) for name in state if (found := re.match(r"blocks\.(\d+)\.", name))
    )
    config = ConvShareConfig(
        image=side * patch,
        channels=channels,
        patch=patch,
        map=near_square(width),
        depth=depth,
        heads=heads,
        mlp_ratio=state["blocks.0.mlp.fc1.weight"].shape[0] // width,
        classes=state["head.weight"].shape[0],
        qkv="linear",
        projection="linear",
        mlp="linear",
    )
    with torch.device("meta"):
        expected = ConvShareViT(config).state_dict()
    if others := sorted(set(state) - set(expected)):
        raise InputError(
            f"a plain ViT has no {', '.join(others[:3])}: only models with one class token and "
            "nothing beyond attention, MLP and norms are converted"
        )
    if missing := sorted(set(expected) - set(state)):
        raise InputError(f"{', '.join(missing[:3])} is missing from the state dict of a plain ViT")
    for name, weight in expected.items():
        if state[name].shape != weight.shape:
            raise InputError(
                f"{name} of a plain ViT is {tuple(weight.shape)} beside the other weights; "
                f"got {tuple(state[name].shape)}"
            )
    return config
