"""Layers that mix the numbers of each token: as modules, and called."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from optics.convshare.token_conv import TokenConv
from optics.tiling.shape import Pair


def create_mixing(layer: TokenConv) -> nn.Linear | nn.Conv2d:
    """Return the module of a layer, its parameters not set.

    A convolution is a plain ``torch.nn.Conv2d``, which :func:`optics.layers.convert` knows.
    """
    if layer.mixing == "linear":
        return nn.Linear(layer.inputs, layer.outputs, device="meta").to_empty(device="cpu")
    come, go = layer.channels
    return nn.Conv2d(
        come * layer.groups,
        go * layer.groups,
        layer.kernel,
        padding="same" if layer.same else "valid",
        groups=layer.groups,
        device="meta",
    ).to_empty(device="cpu")


def mix(layer: nn.Module, x: Tensor, size: Pair) -> Tensor:
    """Return (batch, tokens, outputs) of ``x`` (batch, tokens, inputs).

    Numbers of a token are ordered by map, row and column, before and after. A convolution in one
    group sees tokens as images of a batch, (batch tokens, maps, rows, columns); in several groups,
    as many as tokens, it sees them as channels, (batch, tokens maps, rows, columns).

    Args:
        layer: from :func:`create_mixing`, or the optical layer in its place.
        x: tokens.
        size: (rows, columns) of a map.
    """
    if not isinstance(layer, nn.Conv2d):
        return layer(x)  # type: ignore[no-any-return]
    if layer.training and type(layer) is nn.Conv2d and torch.is_grad_enabled():
        return _as_matrix(layer, x, size)
    return _as_images(layer, x, size)


def _as_images(layer: nn.Conv2d, x: Tensor, size: Pair) -> Tensor:
    batch, tokens, _ = x.shape
    rows = batch * tokens if layer.groups == 1 else batch
    maps: Tensor = layer(x.reshape(rows, -1, *size))
    return maps.reshape(batch, tokens, -1)


def _as_matrix(layer: nn.Conv2d, x: Tensor, size: Pair) -> Tensor:
    """Return the same by the matrix that a convolution is; training takes a third of the time.

    Its columns are the convolutions of maps with a single 1. Derivatives of a convolution of
    thousands of small maps are slow on processors, those of a product are not.
    """
    tokens, inputs = x.shape[1:]
    weight, bias = layer.weight, layer.bias
    assert bias is not None
    per_token = weight.shape[0] // layer.groups
    if layer.groups == 1:
        units = torch.eye(inputs, dtype=x.dtype, device=x.device).view(inputs, -1, *size)
        matrix = functional.conv2d(units, weight, None, padding=layer.padding).flatten(1)
        numbers = matrix.shape[1] // per_token
        return functional.linear(x, matrix.t(), bias.repeat_interleave(numbers))
    if layer.kernel_size == size and layer.padding == "valid":
        kernels = weight.view(tokens, per_token, inputs)
        return torch.einsum("bti,toi->bto", x, kernels) + bias.view(tokens, per_token)
    return _as_images(layer, x, size)
