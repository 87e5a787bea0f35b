"""Linear layers as the convolutions that a 4f system computes: the same numbers, another shape.

Row o of a matrix W (outputs, inputs) is one kernel as large as the map that the inputs make, so
that its only valid position gives the product Σ W[o, i] x[i]. This is the shared valid convolution
of ConvShareViT (arXiv 2504.11517) with one map for all inputs, and how the 4f devices of a cluster
simulation run a linear layer.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from optics.tiling.shape import near_square


class LinearAsConv(nn.Module):
    """A linear layer whose product is a convolution, for :func:`optics.layers.convert` to swap.

    Args:
        linear: the layer; its parameters are shared.

    Attributes:
        conv: the convolution of maps (1, rows, columns), as square as the inputs divide.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, size = linear.weight, near_square(linear.in_features)
        self.conv = nn.Conv2d(
            1, linear.out_features, size, bias=linear.bias is not None, device="meta",
            dtype=weight.dtype,
        )  # fmt: skip
        with torch.no_grad():
            self.conv.weight = nn.Parameter(weight.view(-1, 1, *size), weight.requires_grad)
        if linear.bias is not None:
            self.conv.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., outputs) of ``x`` (..., inputs); each vector is an image of the batch."""
        maps = x.reshape(-1, 1, *self.conv.kernel_size)
        return self.conv(maps).reshape(*x.shape[:-1], -1)  # type: ignore[no-any-return]


def linear_as_conv(model: nn.Module) -> nn.Module:
    """Return a copy of a model whose plain linear layers compute by :class:`LinearAsConv`.

    Layers of a class of their own, such as quantised ones, stay as they are.

    Args:
        model: any module, a linear layer itself included.
    """
    made = copy.deepcopy(model)
    if type(made) is nn.Linear:
        return LinearAsConv(made)
    for module in list(made.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, LinearAsConv(child))
    return made
