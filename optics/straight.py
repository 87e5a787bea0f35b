"""Straight-through replacement: a value with steps forward, the identity backward."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function


def straight_through(values: Tensor, replacement: Tensor) -> Tensor:
    """Return ``replacement`` exactly, with the gradient that ``values`` itself would have.

    A part with steps has a derivative of 0 nearly everywhere; passing the gradient on as if there
    were no steps is what lets one train through it (Bengio et al., arXiv 1308.3432).
    """
    made: Tensor = _Straight.apply(values, replacement.detach())  # type: ignore[no-untyped-call]
    return made


class _Straight(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, replacement: Tensor) -> Tensor:
        return replacement.view_as(replacement)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0], None
